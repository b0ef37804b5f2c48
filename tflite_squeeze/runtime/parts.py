"""How closely each part of an output approximates the same part of another: array functions.

One ratio over a whole output reflects its largest part alone: beside boxes in pixels, a score
between 0 and 1 may be lost without a trace. A part is an index of the last axis (a column), or of
another axis along which the scales differ. Its signal is how much it varies about its own mean.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Reals = NDArray[np.float64]

# A part that varies by less than this share of its own size is taken for a constant.
_CONSTANT = 1e-4
# Nothing that is this much smaller than the whole output is looked at: it is rounding.
_NOTHING = 1e-6
# Parts whose spreads lie within this factor of the next are of one kind, as classes or pixels are;
# where there are enough of one kind, each is held to a share of what the kind varies by.
_GAP = 10.0
_KIND = 8
_SHARE_OF_KIND = 0.3
# A score between 0 and 1 that moves less than this decides nothing.
_LEAST_SCORE = 0.01
_BLOCK = 1 << 22  # numbers that are held as float64 at a time
_Z95 = 1.959963984540054  # the 97.5 % quantile of the normal distribution


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of an output along one axis.

    Attributes:
        axis: the axis, examples being axis 0; -1 is the last.
        sqnr_db: (parts,) signal to quantization noise ratio of each, its mean left out.
        mean: (parts,) mean in the reference.
        spread: (parts,) standard deviation in the reference.
        frozen: (parts,) whether it varies in the reference and not in the values.
        kind: (parts,) the same number for parts of one kind, whose scales are alike.
    """

    axis: int
    sqnr_db: Reals
    mean: Reals
    spread: Reals
    frozen: NDArray[np.bool_]
    kind: NDArray[np.intp]

    def lost(self, least_db: float) -> NDArray[np.bool_]:
        """(parts,) which parts are below a limit."""
        below: NDArray[np.bool_] = ~(self.sqnr_db >= least_db)
        return below

    def lost_of_kind(self, least_db: float) -> float:
        """The largest share of the parts of one kind that is below a limit.

        A kind of less than a hundredth of all parts, such as a feature that is nearly dead among
        a thousand, is measured by all parts.
        """
        counts = np.bincount(self.kind)
        counts = np.where(counts < len(self.kind) / 100, len(self.kind), counts)
        return float(np.max(np.bincount(self.kind, self.lost(least_db)) / counts))


def parts_of(reference: Array, values: Array) -> tuple[Parts, ...]:
    """The parts along the last axis, and along each other axis where scales differ.

    Args:
        reference: (examples, ...).
        values: the same shape.

    Returns:
        One entry an axis, the last axis first; an output of shape (examples,) is one part.

    Example:
        >>> reference = np.array([[100.0, 1.0], [300.0, 2.0]])
        >>> parts_of(reference, np.round(reference / 4) * 4)[0].frozen.tolist()
        [False, True]
    """
    if not reference.size:
        return ()
    if reference.ndim < 2:
        reference, values = reference.reshape(-1, 1), values.reshape(-1, 1)
    found = [_parts_along(reference, values, -1)]
    for axis in range(1, reference.ndim - 1):
        parts = _parts_along(reference, values, axis)
        if np.max(parts.kind) > 0:
            found.append(parts)
    return tuple(found)


def _parts_along(reference: Array, values: Array, axis: int) -> Parts:
    rows, others = (
        np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis]) for array in (reference, values)
    )
    with np.errstate(invalid="ignore", over="ignore"):
        mean, spread, noise = _moments(rows, others)
        size = np.hypot(mean, spread)
        overall = np.sqrt(np.mean(np.square(size)))
        kind = _kinds(spread)
        floor = np.maximum(_floors(spread, kind, rows), _NOTHING * overall)
        varies = spread > np.maximum(_CONSTANT * size, floor)
        # A constant is held to its own size, and what is nothing to that of the whole output.
        signal = np.where(spread > _CONSTANT * size, spread, size)
        signal = np.where(size > _NOTHING * overall, np.maximum(signal, floor), overall)
        sqnr_db = _decibels(signal, noise)
    still = np.max(others, axis=0) == np.min(others, axis=0)
    return Parts(
        axis=axis, sqnr_db=sqnr_db, mean=mean, spread=spread, frozen=varies & still, kind=kind
    )


def _moments(rows: Array, others: Array) -> tuple[Reals, Reals, Reals]:
    """Mean and spread of each column, and the root mean square of its error; a block at a time."""
    mean: Reals = np.mean(rows, axis=0, dtype=np.float64)
    variance, error = np.zeros_like(mean), np.zeros_like(mean)
    step = max(1, _BLOCK // rows.shape[1])
    for start in range(0, len(rows), step):
        block = rows[start : start + step].astype(np.float64)
        variance += np.sum(np.square(block - mean), axis=0)
        error += np.sum(np.square(block - others[start : start + step]), axis=0)
    return mean, np.sqrt(variance / len(rows)), np.sqrt(error / len(rows))


def _kinds(spread: Reals) -> NDArray[np.intp]:
    """Numbers the kinds of parts: a new one after each gap between spreads in order."""
    order = np.argsort(spread)
    ascending = spread[order]
    kind = np.empty(len(spread), np.intp)
    # Between 0 and anything there is a gap, too.
    kind[order] = np.cumsum(np.concatenate([[False], ascending[1:] > _GAP * ascending[:-1]]))
    return kind


def _floors(spread: Reals, kind: NDArray[np.intp], rows: Array) -> Reals:
    """The lower limit of each part, by the kind that it belongs to."""
    counts = np.bincount(kind)
    typical = np.sqrt(np.bincount(kind, np.square(spread)) / counts)
    floors: Reals = np.where(counts >= _KIND, _SHARE_OF_KIND * typical, 0.0)[kind]
    scores = np.min(rows) >= 0 and np.max(rows) <= 1
    return np.maximum(floors, _LEAST_SCORE) if scores else floors


def _decibels(signal: Reals, noise: Reals) -> Reals:
    """20 log10(signal / noise): +inf without noise, -inf without a signal or where not finite."""
    sound = np.isfinite(signal) & np.isfinite(noise)
    with np.errstate(divide="ignore"):
        levels = 20.0 * (np.log10(signal) - np.log10(noise))
    levels = np.where(noise == 0, np.inf, levels)
    found: Reals = np.where(sound, levels, -np.inf)
    return found


@dataclass(frozen=True, kw_only=True)
class LabelErrors:
    """Mean absolute errors against labels, by column, in the units of the output.

    Attributes:
        reference: (columns,) of the reference.
        values: (columns,) of the values.
        low: (columns,) lower end of the 95 % interval of values - reference.
        unit: (columns,) standard deviation of the labels, or what a column is held to at least
            for the sake of its kind.
    """

    reference: Reals
    values: Reals
    low: Reals
    unit: Reals


def label_errors(reference: Array, values: Array, labels: Array) -> LabelErrors:
    """How far two sets of answers are from the labels.

    An example is one observation, however many positions it has; the interval is the normal one
    of paired differences.

    Args:
        reference: (examples, ...), the last axis being columns.
        values: the same shape.
        labels: the same shape.

    Example:
        >>> zero, one = np.zeros((2, 1)), np.ones((2, 1))
        >>> label_errors(zero, one, zero).values
        array([1.])
    """
    columns = labels.shape[-1] if labels.ndim > 1 else 1
    true, *answers = (
        array.reshape(len(array), -1, columns).astype(np.float64)
        for array in (labels, reference, values)
    )
    before, after = (np.mean(np.abs(one - true), axis=1) for one in answers)
    rise = after - before
    width = _Z95 * np.std(rise, axis=0) / np.sqrt(len(rise))
    spread = np.std(true, axis=(0, 1))
    return LabelErrors(
        reference=before.mean(axis=0),
        values=after.mean(axis=0),
        low=rise.mean(axis=0) - width,
        unit=np.maximum(spread, _floors(spread, _kinds(spread), true)),
    )
