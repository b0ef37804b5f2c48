"""The distribution of a tensor's values, streamed over batches in bounded memory."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError

Array = NDArray[Any]

# Bins on each side of 0: sixteen or more for each step of 8 bits.
_SIDE = 4096


def refuse_infinite(name: str, low: float, high: float) -> None:
    """Refuses samples on which a tensor has no range.

    Args:
        name: of the tensor.
        low: its least value.
        high: its greatest value.

    Raises:
        InputError: one is NaN or infinite.
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(
            f"tensor {name!r} is NaN or infinite on the samples: repair the model, or leave out "
            f"the samples that cause it"
        )


class Histogram:
    """Counts and means of values in bins of equal width.

    A bin never lies across 0. Where a value does not fit, bins are joined in pairs, so that
    earlier values stay counted exactly.

    Args:
        name: of the tensor, for errors.

    Attributes:
        low: the least value so far.
        high: the greatest.
        count: how many values there were.

    Example:
        >>> values = Histogram("x")
        >>> values.add(np.array([0.0, 1.0, 1.0]))
        >>> values.means.tolist(), values.counts.tolist()
        ([0.0, 1.0], [1, 2])
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.low, self.high = float("inf"), float("-inf")
        self.count = 0
        self._width = 0.0
        self._counts = np.zeros(2 * _SIDE, np.int64)
        self._sums = np.zeros(2 * _SIDE)

    def add(self, values: Array) -> None:
        """Adds a batch of values of any shape.

        Raises:
            InputError: one is NaN or infinite.
        """
        flat = np.asarray(values, np.float64).ravel()
        if not flat.size:
            return
        low, high = float(flat.min()), float(flat.max())
        refuse_infinite(self.name, low, high)
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.count += flat.size
        self._make_room(max(-low, high))
        at = np.floor(flat / self._width).astype(np.int64) if self._width else np.zeros(1, int)
        at = np.clip(at, -_SIDE, _SIDE - 1) + _SIDE
        at = np.broadcast_to(at, flat.shape)
        self._counts += np.bincount(at, minlength=2 * _SIDE)
        self._sums += np.bincount(at, weights=flat, minlength=2 * _SIDE)

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many values each bin has that is not empty, from the least to the greatest."""
        return self._counts[self._counts > 0]

    @property
    def means(self) -> Array:
        """The mean of each bin's values, in the order of `counts`."""
        filled = self._counts > 0
        return np.asarray(self._sums[filled] / self._counts[filled])

    def _make_room(self, magnitude: float) -> None:
        """Widens the bins until a magnitude fits."""
        if not self._width:
            # Zeros alone are in the bin above 0 of any width.
            self._width = magnitude / _SIDE
        while self._width and magnitude > self._width * _SIDE:
            self._width *= 2
            self._counts, self._sums = _paired(self._counts), _paired(self._sums)


def _paired(bins: Array) -> Array:
    """Neighbours added up, with room outside."""
    pairs = bins.reshape(-1, 2).sum(axis=1)
    room = np.zeros(_SIDE // 2, bins.dtype)
    return np.concatenate([room, pairs, room])
