"""How closely one set of numbers approximates another: pure array functions."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# The 97.5 % quantile of the normal distribution.
_Z95 = 1.959963984540054


def largest_difference(reference: Array, values: Array) -> float:
    """Largest |reference - values|; infinite when either holds NaN."""
    return _worst(float(np.max(np.abs(_difference(reference, values)), initial=0.0)))


def mean_difference(reference: Array, values: Array) -> float:
    """Mean |reference - values|; infinite when either holds NaN."""
    difference = np.abs(_difference(reference, values))
    return _worst(float(np.mean(difference))) if difference.size else 0.0


def sqnr_db(reference: Array, values: Array) -> float:
    """Signal to quantization noise ratio, 10 log10(sum r² / sum (r - v)²).

    Args:
        reference: any shape.
        values: the same shape.

    Returns:
        Decibel; +inf for equal arrays, -inf where there is noise but no signal, or NaN.

    Example:
        >>> sqnr_db(np.array([10.0]), np.array([9.0]))
        20.0
    """
    signal = float(np.sum(np.square(reference.astype(np.float64))))
    noise = float(np.sum(np.square(_difference(reference, values))))
    if noise == 0.0:
        return math.inf
    if signal == 0.0 or not math.isfinite(noise) or not math.isfinite(signal):
        return -math.inf
    return 10.0 * math.log10(signal / noise)


def cosine(reference: Array, values: Array) -> float:
    """Cosine of the angle between the arrays as vectors.

    It is 1 when both are zero, and 0 when one is, or when either holds NaN or infinity.
    """
    a = reference.astype(np.float64).ravel()
    b = values.astype(np.float64).ravel()
    norms = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if 0.0 in norms:
        return 1.0 if norms[0] == norms[1] else 0.0
    if not math.isfinite(norms[0] * norms[1]):
        return 0.0
    return float(np.dot(a, b) / (norms[0] * norms[1]))


def predicted_classes(scores: Array) -> NDArray[np.int64] | None:
    """The class that each row of scores predicts, or None where rows are not scores.

    Args:
        scores: (examples, classes); one column of probabilities means two classes, cut at 0.5.

    Returns:
        (examples,) class ids.
    """
    if scores.ndim != 2 or not np.issubdtype(scores.dtype, np.floating):
        return None
    if scores.shape[1] > 1:
        classes: NDArray[np.int64] = np.argmax(scores, axis=1)
        return classes
    if scores.shape[1] == 1 and np.all((scores >= 0) & (scores <= 1)):
        return (scores[:, 0] >= 0.5).astype(np.int64)
    return None


def are_probabilities(scores: Array) -> bool:
    """Whether each row of scores is a distribution: not negative, and summing to one.

    Args:
        scores: (examples, classes).
    """
    if scores.ndim != 2 or not scores.size or not np.issubdtype(scores.dtype, np.floating):
        return False
    if scores.shape[1] == 1:
        return bool(np.all((scores >= 0) & (scores <= 1)))
    return are_distributions(scores)


def are_distributions(scores: Array) -> bool:
    """Whether the last axis holds distributions over several classes.

    Args:
        scores: (..., classes).
    """
    if scores.ndim < 2 or not scores.size or scores.dtype.kind != "f" or scores.shape[-1] < 2:
        return False
    return bool(np.all(scores >= 0) and np.allclose(scores.sum(axis=-1), 1.0, atol=0.01))


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A difference with its 95 % confidence interval.

    Attributes:
        difference: the estimate.
        low: lower end.
        high: upper end.
    """

    difference: float
    low: float
    high: float


def paired_difference(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Interval:
    """The change of a proportion on the same examples, with its 95 % interval.

    Only examples on which the two disagree carry information: b of them went wrong, c went right.
    The interval is Wald's with half an example added to each of the four cells, which covers as
    it should for few examples too.

    Args:
        before: (examples,) whether the reference was right.
        after: (examples,) whether the file is right.

    Returns:
        after - before, in [-1, 1].

    Reference:
        Agresti and Min 2005, Statistics in Medicine 24, 729-740, doi:10.1002/sim.1781, section 4.

    Example:
        >>> paired_difference(np.array([True, True]), np.array([True, False])).difference
        -0.5
    """
    count = len(before)
    lost = int(np.sum(before & ~after))
    won = int(np.sum(~before & after))
    b, c, n = lost + 0.5, won + 0.5, count + 2.0
    centre = (c - b) / n
    width = _Z95 * math.sqrt(max(b + c - (c - b) ** 2 / n, 0.0)) / n
    return Interval(
        difference=(won - lost) / count,
        low=max(-1.0, centre - width),
        high=min(1.0, centre + width),
    )


def paired_means(before: Array, after: Array) -> Interval:
    """The change of a mean on the same examples, with its normal 95 % interval.

    Args:
        before: (examples,) of the reference.
        after: (examples,) of the file.

    Example:
        >>> paired_means(np.array([1.0, 1.0]), np.array([0.5, 0.5]))
        Interval(difference=-0.5, low=-0.5, high=-0.5)
    """
    change = np.asarray(after, np.float64) - before
    width = _Z95 * float(np.std(change)) / math.sqrt(len(change))
    difference = float(np.mean(change))
    return Interval(difference=difference, low=difference - width, high=difference + width)


def moved_share(reference: Array, values: Array) -> float:
    """The total variation distance: the mean share of probability on other classes.

    Args:
        reference: (..., classes), each row a distribution.
        values: the same shape.

    Example:
        >>> moved_share(np.array([[0.5, 0.5]]), np.array([[0.75, 0.25]]))
        0.25
    """
    differences = np.abs(_difference(reference, values))
    return _worst(0.5 * float(np.mean(np.sum(differences, axis=-1))))


def _difference(reference: Array, values: Array) -> NDArray[np.float64]:
    if reference.shape != values.shape:
        raise ValueError(f"shapes differ: {reference.shape} and {values.shape}")
    with np.errstate(invalid="ignore"):
        difference: NDArray[np.float64] = reference.astype(np.float64) - values.astype(np.float64)
    return difference


def _worst(value: float) -> float:
    return math.inf if math.isnan(value) else value
