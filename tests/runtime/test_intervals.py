import math

import numpy as np
import pytest

from tflite_squeeze.runtime.intervals import mcnemar, median_interval


def test_the_interval_of_a_median_by_hand() -> None:
    # of 20 values, at most 5 lie below the median in 2.07 % of all cases, at most 6 in 5.77 %
    interval = median_interval(np.random.default_rng(0).permutation(20).astype(float))
    assert (interval.difference, interval.low, interval.high) == (9.5, 5.0, 14.0)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_values_give_all_there_is(count: int) -> None:
    interval = median_interval(np.arange(count, dtype=float))
    assert (interval.low, interval.high) == (0, count - 1)


def test_it_covers_the_median_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        interval = median_interval(generator.exponential(1.0, 20))
        held += interval.low <= math.log(2) <= interval.high
    assert 0.94 <= held / 1000 <= 0.98  # 95.9 % by the binomial distribution


def _answers(lost: int, won: int, both: int = 3) -> tuple[np.ndarray, np.ndarray]:
    before = np.array([True] * lost + [False] * won + [True] * both)
    after = np.array([False] * lost + [True] * won + [True] * both)
    return before, after


@pytest.mark.parametrize(
    ("lost", "won", "p_value"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (1, 0, 1.0),
        (5, 0, 2 / 32),
        (0, 5, 2 / 32),
        (8, 2, 2 * (1 + 10 + 45) / 1024),
    ],
)
def test_mcnemar_by_hand(lost: int, won: int, p_value: float) -> None:
    assert mcnemar(*_answers(lost, won)) == pytest.approx(p_value)


def test_mcnemar_of_many_examples() -> None:
    assert mcnemar(*_answers(2600, 2400)) == pytest.approx(0.0049, abs=3e-4)
    assert mcnemar(*_answers(5000, 0)) == 0.0
