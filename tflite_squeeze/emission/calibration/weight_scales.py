"""The scale of each channel of a weight: from its greatest magnitude, or of the least error."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SHARES = np.linspace(1.0, 0.1, 91)  # of the greatest magnitude


def as_columns(kernel: Array, axis: int | None, *, depthwise: bool = False) -> Array:
    """A kernel as a matrix with a column for each channel that has a scale.

    Args:
        kernel: of any shape.
        axis: of the channels; None for one scale.
        depthwise: whether the two last axes together count channels.

    Returns:
        (weights, channels).

    Example:
        >>> as_columns(np.ones((3, 3, 4, 2)), -2, depthwise=True).shape
        (9, 8)
    """
    if axis is None:
        return kernel.reshape(-1, 1)
    if depthwise:
        return kernel.reshape(-1, kernel.shape[-2] * kernel.shape[-1])
    return np.asarray(np.moveaxis(kernel, axis, -1).reshape(-1, kernel.shape[axis]))


def largest(columns: Array, levels: int) -> Array:
    """The greatest magnitude of each channel over the number of levels.

    Args:
        columns: (weights, channels).
        levels: the largest integer.

    Returns:
        (channels,), above 0: channels of zeros get 1 / levels.

    Example:
        >>> largest(np.array([[0.5, -2.0]]), 127) * 127
        array([0.5, 2. ])
    """
    magnitude = np.abs(np.asarray(columns, np.float64)).max(axis=0)
    return np.asarray(np.where(magnitude > 0, magnitude, 1.0) / levels)


def least_error(columns: Array, levels: int, importance: Array | float = 1.0) -> Array:
    """The scales of the least squared error of the rounded weights.

    Args:
        columns: (weights, channels).
        levels: the largest integer.
        importance: what the squared error of each weight counts, in a shape that broadcasts with
            the columns.

    Returns:
        (channels,), at most those of `largest`: clipping a few weights makes the rest finer.

    Reference: Banner et al. 2019, arXiv:1810.05723, section 3; the search is over a grid.
    """
    columns = np.asarray(columns, np.float64)
    most = largest(columns, levels)
    best, found = np.full(len(most), np.inf), most.copy()
    for share in _SHARES:
        scale = most * share
        errors = importance * np.square(rounded(columns, scale, levels) - columns)
        total = errors.sum(axis=0)
        better = total < best
        best, found = np.where(better, total, best), np.where(better, scale, found)
    return found


def rounded(kernel: Array, scale: Array, levels: int) -> Array:
    """Weights rounded to the nearest multiple of their scale, clipped.

    Args:
        kernel: of any shape.
        scale: in a shape that broadcasts with it.
        levels: the largest integer.

    Example:
        >>> rounded(np.array([0.4, 0.6, 9.0]), np.array(0.5), 7)
        array([0.5, 0.5, 3.5])
    """
    return np.asarray(scale * np.clip(np.round(kernel / scale), -levels, levels))
