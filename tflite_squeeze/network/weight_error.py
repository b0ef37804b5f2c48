"""How far an approximation of a kernel is from the kernel, in what the layer answers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Directions that no sample has shown still count a little, so that the full rank is exact.
_DAMPING = 1e-9


def damped(second: Array) -> Array:
    """A second moment with a little of its mean diagonal added, so that it has an inverse.

    Args:
        second: (inputs, inputs), or its diagonal (inputs,).
    """
    if second.ndim == 1:
        return np.asarray(second + damping(second))
    more = np.array(second, np.float64)
    more[np.diag_indices_from(more)] += damping(second)
    return more


def damping(second: Array) -> float:
    """What `damped` adds to each element of the diagonal."""
    diagonal = second if second.ndim == 1 else np.diagonal(second)
    return _DAMPING * (float(diagonal.mean()) or 1.0)


def relative_error(matrix: Array, approximation: Array, second: Array | None = None) -> float:
    """‖C^½ (W - Ŵ)‖ / ‖C^½ W‖: the relative root mean square error of the outputs.

    Args:
        matrix: W, (inputs, outputs).
        approximation: Ŵ, the same shape.
        second: C; None for the identity.
    """
    whole = _energy(matrix, second)
    if whole == 0:
        return 0.0
    return float(np.sqrt(_energy(matrix - approximation, second) / whole))


def _energy(matrix: Array, second: Array | None) -> float:
    """tr(Wᵀ C W), the squared norm of C^½ W without a root of C; it may round to below 0."""
    if second is None:
        return float(np.linalg.norm(matrix) ** 2)
    moment = np.asarray(second, np.float64)
    product = moment[:, np.newaxis] * matrix if moment.ndim == 1 else moment @ matrix
    return max(0.0, float(np.sum(matrix * (product + damping(moment) * matrix))))
