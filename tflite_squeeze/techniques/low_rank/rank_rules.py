"""Rules that say which rank is enough, from singular values alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.techniques.low_rank.low_rank import tail_energy

Array = NDArray[Any]


def rank_for_loss(values: Array, loss: float) -> int:
    """The smallest rank that loses no more than this share of the energy.

    Args:
        values: singular values, largest first.
        loss: share of Σ s² that may be lost, in [0, 1).

    Returns:
        At least 1.

    Example:
        >>> rank_for_loss(np.array([2.0, 1.0, 0.1]), 0.1)
        2
    """
    # What rounding leaves of a zero tail counts as zero.
    enough = tail_energy(values) <= loss + 1e-12
    return max(1, int(np.argmax(enough)))


def rank_for_ratio(full: int, ratio: float) -> int:
    """This share of the full rank, rounded to the nearest whole one; at least 1."""
    return max(1, min(full, round(ratio * full)))


def rounded_up(rank: int, full: int, multiple: int) -> int:
    """The next multiple, but not above the full rank: kernels work on 4, 8 or 16 at once.

    Example:
        >>> rounded_up(13, 20, 8), rounded_up(17, 20, 8)
        (16, 20)
    """
    return min(full, -(-rank // multiple) * multiple)
