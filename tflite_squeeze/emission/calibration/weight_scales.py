"""The scale of each channel of a weight: from its greatest magnitude, or of the least error."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SHARES = np.linspace(1.0, 0.5, 51)  # of the greatest magnitude


def by_channel(kernel: Array, axis: int | None) -> Array:
    """A kernel as a matrix, a column for each channel that has a scale.

    Args:
        kernel: of any shape.
        axis: of the channels; None for one scale.

    Returns:
        (weights, channels).
    """
    if axis is None:
        return kernel.reshape(-1, 1)
    return np.asarray(np.moveaxis(kernel, axis, -1).reshape(-1, kernel.shape[axis]))


def spread(scale: Array, rank: int, axis: int | None) -> Array:
    """Scales in a shape that broadcasts with their kernel.

    Args:
        scale: (channels,).
        rank: of the kernel.
        axis: of the channels; None for one scale.
    """
    shape = [1] * rank
    if axis is not None:
        shape[axis] = -1
    return np.reshape(scale, shape)


def largest(kernel: Array, axis: int | None, levels: int) -> Array:
    """The greatest magnitude of each channel over the number of levels.

    Args:
        kernel: of any shape.
        axis: of the channels; None for one scale.
        levels: the largest integer.

    Returns:
        (channels,), above 0: channels of zeros get 1 / levels.

    Example:
        >>> largest(np.array([[0.5, -2.0]]), 1, 127) * 127
        array([0.5, 2. ])
    """
    magnitude = np.abs(by_channel(np.asarray(kernel, np.float64), axis)).max(axis=0)
    return np.asarray(np.where(magnitude > 0, magnitude, 1.0) / levels)


def least_error(
    kernel: Array, axis: int | None, levels: int, importance: Array | None = None
) -> Array:
    """The scales of the least squared error of the rounded weights.

    Args:
        kernel: of any shape.
        axis: of the channels; None for one scale.
        levels: the largest integer.
        importance: what the squared error of each weight counts, in a shape that broadcasts with
            the kernel; all alike by default.

    Returns:
        (channels,), at most those of `largest`: clipping a few weights makes the rest finer.

    Reference: Banner et al. 2019, arXiv:1810.05723, section 3; the search is over a grid.
    """
    columns = by_channel(np.asarray(kernel, np.float64), axis)
    counts = None
    if importance is not None:
        counts = by_channel(np.broadcast_to(importance, np.shape(kernel)), axis)
    most = largest(kernel, axis, levels)
    best, found = np.full(len(most), np.inf), most.copy()
    for share in _SHARES:
        scale = most * share
        errors = np.square(rounded(columns, scale, levels) - columns)
        total = (errors if counts is None else errors * counts).sum(axis=0)
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
