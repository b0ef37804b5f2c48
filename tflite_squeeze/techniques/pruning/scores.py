"""What a weight is worth: the scores that pruning ranks by, as pure functions of arrays.

The names of a score's parameters say what it is given, see `GIVEN`; it returns a number for each
weight, 0 or more and of the weights' shape, and the lowest go first. A new one is such a function
and its line in `SCORES`; a user's own is handed over as `Prune(score=function)`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# What a score may take, and what the user's data needs for it.
GIVEN = {
    "weights": None,  # (outputs, inputs)
    "gradients": "labels",  # (outputs, inputs) mean magnitude of the loss's gradient
    "input_norms": "samples",  # (inputs,) norm of what each weight of a row multiplies
    "seed": None,  # another one for each tensor
}


def within_outputs(score: Callable[..., Array]) -> Callable[..., Array]:
    """Marks a score that compares the weights of one output, and so cannot choose outputs."""
    score.within_outputs = True  # type: ignore[attr-defined]
    return score


def magnitude(weights: Array) -> Array:
    """|w|."""
    return np.abs(weights)


def taylor(weights: Array, gradients: Array) -> Array:
    """|w g|: how much the loss changes, to first order, when a weight becomes zero.

    Args:
        weights: any shape.
        gradients: of the loss, the same shape.

    Reference: Molchanov et al. 2017, arXiv:1611.06440, equation 8.
    """
    return np.abs(weights * gradients)


@within_outputs
def wanda(weights: Array, input_norms: Array) -> Array:
    """The rank of |w| ‖x‖ among the weights of the same output.

    Wanda compares the weights of one output with each other only. A ranking of the whole matrix
    by these ranks does so too: every output loses the same share.

    Args:
        weights: (outputs, inputs).
        input_norms: (inputs,) norm of each input over the calibration samples.

    Returns:
        (outputs, inputs), in [0, 1).

    Reference: Sun et al. 2023, arXiv:2306.11695, equation 1 and section 3.
    """
    scores = np.abs(weights) * input_norms[np.newaxis, :]
    ranks = np.argsort(np.argsort(scores, axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray((ranks + 0.5) / weights.shape[1])


def random_scores(weights: Array, seed: int) -> Array:
    """Uniform random numbers: the control that any other score has to beat."""
    return np.random.default_rng(seed).random(weights.shape)


SCORES: dict[str, Callable[..., Array]] = {
    "magnitude": magnitude,
    "taylor": taylor,
    "wanda": wanda,
    "random": random_scores,
}
