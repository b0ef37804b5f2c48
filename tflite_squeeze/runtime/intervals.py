"""Intervals and tests for repeated and paired measurements: pure array functions."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.runtime.fidelity import Interval


def median_interval(values: NDArray[np.floating[Any]], confidence: float = 0.95) -> Interval:
    """The median with an interval that holds whatever the distribution.

    How many of N values lie below the median follows a binomial distribution; the interval runs
    between the two order statistics that leave at most (1 - confidence) / 2 on either side. For
    fewer than 6 values it is their whole range, and covers less than it should.

    Args:
        values: (N,), at least one, independent of each other.
        confidence: the coverage of the interval, in (0, 1).

    Returns:
        The median as `difference`, and the interval.

    Reference:
        Hahn and Meeker 1991, Statistical Intervals, section 5.2.

    Example:
        >>> median_interval(np.arange(20.0)).low
        5.0
    """
    ordered, count = np.sort(values), len(values)
    below, tail = 0, 0.5**count
    while tail <= (1 - confidence) / 2 and below < (count - 1) // 2:
        below += 1
        tail += math.comb(count, below) * 0.5**count
    at = max(below - 1, 0)
    return Interval(
        difference=float(np.median(ordered)),
        low=float(ordered[at]),
        high=float(ordered[count - 1 - at]),
    )


def mcnemar(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    """How likely chance alone is to make two classifiers differ by as much or more.

    Of the examples that exactly one of them gets right, each is as often the one as the other.

    Args:
        before: (examples,) whether the first was right.
        after: (examples,) whether the second was.

    Returns:
        The exact two-sided p-value, in (0, 1].

    Reference:
        McNemar 1947, Psychometrika 12, 153-157, in its exact form.

    Example:
        >>> mcnemar(np.array([True] * 5), np.array([False] * 5))
        0.0625
    """
    lost, won = int(np.sum(before & ~after)), int(np.sum(~before & after))
    total, least = lost + won, min(lost, won)
    tail = sum(math.comb(total, k) for k in range(least + 1))
    return float(min(1.0, 2 * tail / 2**total))
