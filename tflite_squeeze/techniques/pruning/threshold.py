"""Ranking by magnitude, cheap enough for every step.

A full ranking of a large tensor takes longer than a training step of a small network. Between two
full rankings the threshold is therefore only moved: from how many weights lie just above it, the
next one follows by a secant step, and one pass over the weights finds what lies below.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.projections import nonzero
from tflite_squeeze.techniques.pruning.masks import Mask, lowest

Array = NDArray[Any]

# How far above the threshold weights are counted, to know how dense they lie there.
_REACH = 0.25
# Moved thresholds drift from the count that was asked for; a full ranking sets them right.
_FULL_EVERY = 64
_COUNT_EVERY = 8
# Weights that drift below the threshold go too; so many are left for the last, full ranking.
_MARGIN = 0.004
# Small tensors are ranked in full each time, in microseconds.
_SMALL = 2048


class RisingZeros:
    """Chooses more and more weights of one tensor to zero, by magnitude; zeros stay zeros.

    Args:
        weights: the tensor as it is.
    """

    def __init__(self, weights: Array) -> None:
        self._stays: Mask = nonzero(weights)
        self._zeros = int(weights.size - np.count_nonzero(self._stays))
        self._near = 0
        self._threshold = 0.0
        self._age = _FULL_EVERY

    def wants(self, zeros: int) -> bool:
        """Whether that many zeros are more than there are; reading weights is slow otherwise."""
        return zeros > self._zeros

    def exactly(self, weights: Array, zeros: int) -> Mask | None:
        """The mask with exactly that many zeros, if that is more than there are.

        Args:
            weights: the tensor as it is now.
            zeros: how many.

        Returns:
            True where a weight stays; None when the last mask still holds.
        """
        if zeros <= self._zeros:
            return None
        magnitudes = np.where(self._stays, np.abs(weights), -1.0)
        chosen = lowest(magnitudes, zeros)
        self._threshold = float(magnitudes.ravel()[chosen].max())
        stays = np.ones(weights.size, np.bool_)
        stays[chosen] = False
        self._age = 0
        return self._keep(stays.reshape(weights.shape), np.abs(weights))

    def about(self, weights: Array, zeros: int, most: int) -> Mask | None:
        """A mask with about that many zeros, found in one pass.

        Args:
            weights: the tensor as it is now.
            zeros: how many.
            most: how many there will be in the end; never more than a little less than that.

        Returns:
            True where a weight stays; None when the last mask still holds.
        """
        if weights.size <= _SMALL:
            return self.exactly(weights, min(zeros, most))
        cap = most - int(_MARGIN * weights.size) - 1
        missing = min(zeros, cap) - self._zeros
        if missing <= 0:
            return None
        self._age += 1
        if missing > self._near or self._age > _FULL_EVERY:
            return self.exactly(weights, self._zeros + missing)
        self._threshold *= 1.0 + _REACH * missing / self._near
        magnitudes = np.abs(weights)
        stays = self._stays & (magnitudes > self._threshold)
        if stays.size - np.count_nonzero(stays) > cap:
            return self.exactly(weights, self._zeros + missing)
        return self._keep(stays, magnitudes)

    def _keep(self, stays: Mask, magnitudes: Array) -> Mask:
        self._stays = stays
        self._zeros = int(stays.size - np.count_nonzero(stays))
        if self._age % _COUNT_EVERY == 0:
            within = stays & (magnitudes <= self._threshold * (1.0 + _REACH))
            self._near = int(np.count_nonzero(within))
        return stays
