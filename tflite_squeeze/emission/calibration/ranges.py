"""The range of values that a quantized activation covers, from the histogram of its values.

Values outside are clipped; a narrower range has finer steps for the rest. Every range holds 0,
which padding and ReLU need exactly.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.calibration.histogram import Histogram

Array = NDArray[Any]
Bits = Literal[8, 16]
Method = Literal["minmax", "percentile", "mse", "entropy"]
Range = tuple[float, float]

PERCENTILE = 99.99
_SHARES = np.linspace(1.0, 0.02, 50)  # of the greatest magnitude, as limits of a range
_FINER = np.linspace(0.98, 1.02, 9)
_MAGNITUDES = 2048  # bins of the search by entropy
_STEP = 16  # of those, between one candidate and the next
_TINY = 1e-12  # probability of what no level stands for


def quantized(values: Array, low: float, high: float, bits: Bits = 8) -> Array:
    """Values as the integers of a range stand for them.

    Args:
        values: of any shape.
        low: the least value of the range, 0 or less.
        high: the greatest, 0 or more.
        bits: 8 (asymmetric) or 16 (symmetric).

    Returns:
        Multiples of the scale, clipped to what the integers reach; the zero point is rounded, so
        that 0 stays 0.

    Reference: Jacob et al. 2018, arXiv:1712.05877, section 2.1.

    Example:
        >>> quantized(np.array([0.2, 0.6, 300.0]), 0.0, 255.0)
        array([  0.,   1., 255.])
    """
    if bits == 16:
        scale, least, most = max(-low, high) / 32767, -32767.0, 32767.0
    else:
        scale = (high - low) / 255
        zero = float(np.round(-low / scale))
        least, most = -zero, 255 - zero
    return np.asarray(scale * np.clip(np.round(values / scale), least, most))


def squared_error(values: Histogram, low: float, high: float, bits: Bits = 8) -> float:
    """The mean squared error of a tensor's values under a range.

    Args:
        values: the tensor's.
        low: as in `quantized`.
        high: as in `quantized`.
        bits: as in `quantized`.
    """
    means = values.means
    errors = np.square(quantized(means, low, high, bits) - means)
    return float(errors @ values.counts / values.count)


def minmax(values: Histogram, bits: Bits = 8) -> Range:
    """From the least value to the greatest, 0 included.

    Args:
        values: the tensor's.
        bits: of the activation; any give the same.

    Returns:
        low ≤ 0 ≤ high; (0, 1) for a tensor of zeros or without values.
    """
    del bits
    return _valid(values.low, values.high)


def percentile(values: Histogram, bits: Bits = 8, percent: float = PERCENTILE) -> Range:
    """Without the rarest values on either side.

    Args:
        values: the tensor's.
        bits: of the activation; any give the same.
        percent: how many of the values are at most the upper limit, and at least the lower one.

    Reference: Wu et al. 2020, arXiv:2004.09602, section 5.
    """
    del bits
    if not values.count:
        return _valid(0.0, 0.0)
    means, shares = values.means, np.cumsum(values.counts) / values.count
    last = len(means) - 1
    low = means[min(int(np.searchsorted(shares, 1 - percent / 100, side="right")), last)]
    high = means[min(int(np.searchsorted(shares, percent / 100)), last)]
    # The mean of the outermost bin is not its limit.
    low = values.low if low == means[0] else low
    high = values.high if high == means[-1] else high
    if low == high == 0:  # nearly all are 0: the rest decides
        return minmax(values)
    return _valid(float(low), float(high))


def mse(values: Histogram, bits: Bits = 8) -> Range:
    """The range of the least mean squared error, those of the other methods among the candidates.

    Both limits shrink together first, then each alone, then in small steps.

    Args:
        values: the tensor's.
        bits: 8 (asymmetric) or 16 (symmetric).

    Reference: Banner et al. 2019, arXiv:1810.05723, section 3, for the trade of clipping for
    finer steps; here the error is summed over the histogram instead of a fitted distribution.
    """
    low, high = minmax(values)

    def error(limits: Range) -> float:
        return squared_error(values, *limits, bits) if values.count else 0.0

    others = [find(values, bits) for find in (minmax, percentile, entropy)]  # the first of equals
    found = min([*others, *((low * share, high * share) for share in _SHARES)], key=error)
    for lows, highs in ((_SHARES, ()), ((), _SHARES)):
        tried = [(low * one, found[1]) for one in lows] + [(found[0], high * one) for one in highs]
        found = min([found, *tried], key=error)
    for lows, highs in ((_FINER, ()), ((), _FINER)):
        tried = [(max(low, found[0] * one), found[1]) for one in lows]
        tried += [(found[0], min(high, found[1] * one)) for one in highs]
        found = min([found, *tried], key=error)
    return float(found[0]), float(found[1])


def entropy(values: Histogram, bits: Bits = 8) -> Range:
    """The range under which the distribution of magnitudes loses the least information.

    Of 16 bits it is that of `minmax`: the distribution loses nothing.

    Args:
        values: the tensor's.
        bits: 8 (asymmetric) or 16.

    Reference: Migacz 2017, "8-bit inference with TensorRT", GTC talk S7310. There the range is
    symmetric; here it is cut where the values end, and a side without values leaves its integers
    to the other.
    """
    low, high = minmax(values)
    if bits == 16 or not values.count or values.low == values.high == 0:
        return low, high
    top = max(-low, high)
    at = np.minimum(np.abs(values.means) / top * _MAGNITUDES, _MAGNITUDES - 1).astype(int)
    magnitudes = np.bincount(at, weights=values.counts, minlength=_MAGNITUDES)
    magnitudes[0] = 0  # zeros are exact under any range
    levels = 128 if low < 0 < high else 256
    kept = range(levels, _MAGNITUDES + 1, _STEP)
    # Of equal losses the widest range.
    best = min(reversed(kept), key=lambda count: _information_lost(magnitudes, count, levels))
    limit = top * best / _MAGNITUDES
    return max(low, -limit), min(high, limit)


def _information_lost(magnitudes: Array, kept: int, levels: int) -> float:
    """KL(p ‖ q) of the first bins, the rest clipped into the last, and of those in fewer levels."""
    inside = magnitudes[:kept]
    clipped = inside.copy()
    clipped[-1] += magnitudes[kept:].sum()
    if not inside.any():
        return float("inf")
    group = np.arange(kept) * levels // kept
    filled = inside > 0
    spread = np.bincount(group, weights=inside) / np.maximum(np.bincount(group, filled), 1)
    p, q = clipped / clipped.sum(), np.where(filled, spread[group], 0) / inside.sum()
    there = p > 0
    return float(np.sum(p[there] * np.log(p[there] / np.maximum(q[there], _TINY))))


METHODS: dict[Method, Callable[..., Range]] = {
    "minmax": minmax, "percentile": percentile, "mse": mse, "entropy": entropy
}  # fmt: skip


def _valid(low: float, high: float) -> Range:
    """A range that holds 0 and more than that."""
    low, high = min(low, 0.0), max(high, 0.0)
    return (0.0, 1.0) if low == high else (low, high)
