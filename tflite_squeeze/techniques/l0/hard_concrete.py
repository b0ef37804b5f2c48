"""Hard-concrete gates: random switches in [0, 1] that are often exactly 0, and differentiable.

Reference: Louizos et al. 2018, arXiv:1712.01312.
"""

from typing import Any

import numpy as np
import tensorflow as tf


def sampled_gate(
    log_alpha: Any, uniform: Any, temperature: float, gamma: float, zeta: float
) -> Any:
    """A gate as it is drawn in training.

    Args:
        log_alpha: location of each gate, any shape; the higher, the more open.
        uniform: random numbers in (0, 1), of the same shape.
        temperature: beta; the lower, the closer to a coin that shows 0 or 1.
        gamma: lower end of the stretched interval, below 0.
        zeta: its upper end, above 1.

    Returns:
        min(1, max(0, s (zeta - gamma) + gamma)), with
        s = sigmoid((log(u / (1 - u)) + log alpha) / beta).

    Reference: Louizos et al. 2018, arXiv:1712.01312, equations 10 and 11.
    """
    noise = tf.math.log(uniform / (1.0 - uniform))
    concrete = tf.sigmoid((noise + log_alpha) / temperature)
    return tf.clip_by_value(concrete * (zeta - gamma) + gamma, 0.0, 1.0)


def open_probability(log_alpha: Any, temperature: float, gamma: float, zeta: float) -> Any:
    """How probable it is that a gate is not 0; summed over gates, the expected L0 norm.

    Args:
        log_alpha: location of each gate, any shape.
        temperature: beta.
        gamma: lower end of the stretched interval, below 0.
        zeta: its upper end, above 1.

    Returns:
        sigmoid(log alpha - beta log(-gamma / zeta)).

    Reference: Louizos et al. 2018, arXiv:1712.01312, equation 12.
    """
    return tf.sigmoid(log_alpha - temperature * float(np.log(-gamma / zeta)))


def final_gate(log_alpha: Any, gamma: float, zeta: float) -> Any:
    """A gate as it is after training, without chance.

    Args:
        log_alpha: location of each gate, any shape.
        gamma: lower end of the stretched interval, below 0.
        zeta: its upper end, above 1.

    Returns:
        min(1, max(0, sigmoid(log alpha) (zeta - gamma) + gamma)): exactly 0 for all closed gates.

    Reference: Louizos et al. 2018, arXiv:1712.01312, equation 13.
    """
    return tf.clip_by_value(tf.sigmoid(log_alpha) * (zeta - gamma) + gamma, 0.0, 1.0)
