"""The maths of fidelity on numbers worked out by hand."""

import math

import numpy as np
import pytest

from tflite_squeeze.runtime.fidelity import (
    are_probabilities,
    cosine,
    largest_difference,
    mean_difference,
    paired_difference,
    predicted_classes,
    sqnr_db,
)


def test_differences() -> None:
    reference, values = np.float32([[1, 2], [3, 4]]), np.float32([[1, 1], [3.5, 4]])
    assert largest_difference(reference, values) == 1.0
    assert mean_difference(reference, values) == 0.375  # (0 + 1 + 0.5 + 0) / 4


def test_differences_of_integers_do_not_wrap_around() -> None:
    assert largest_difference(np.uint8([0]), np.uint8([255])) == 255.0


def test_nothing_to_compare_is_no_difference() -> None:
    nothing = np.zeros((0, 3))
    assert largest_difference(nothing, nothing) == mean_difference(nothing, nothing) == 0.0


@pytest.mark.parametrize(
    ("reference", "values", "decibels"),
    [
        ([10.0], [9.0], 20.0),  # 10 log10(100 / 1)
        ([3.0, 4.0], [3.0, 4.5], 20.0),  # 10 log10(25 / 0.25)
        ([1.0], [2.0], 0.0),  # as much noise as signal
        ([1.0], [11.0], -20.0),
        ([2.0, 0.0], [2.0, 0.0], math.inf),
        ([0.0, 0.0], [0.0, 0.0], math.inf),
        ([0.0], [1.0], -math.inf),
    ],
)
def test_sqnr(reference: list[float], values: list[float], decibels: float) -> None:
    assert sqnr_db(np.float32(reference), np.float32(values)) == pytest.approx(decibels)


@pytest.mark.parametrize(
    ("a", "b", "angle"),
    [
        ([1.0, 0.0], [0.0, 2.0], 0.0),
        ([1.0, 2.0], [10.0, 20.0], 1.0),
        ([1.0, 0.0], [-3.0, 0.0], -1.0),
        ([1.0, 0.0], [1.0, 1.0], math.sqrt(0.5)),
        ([0.0, 0.0], [0.0, 0.0], 1.0),
        ([0.0, 0.0], [0.0, 1.0], 0.0),
    ],
)
def test_cosine(a: list[float], b: list[float], angle: float) -> None:
    assert cosine(np.float32(a), np.float32(b)) == pytest.approx(angle)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_the_worst_there_is(broken: float) -> None:
    good, bad = np.float32([1, 2]), np.float32([1, broken])
    for reference, values in ((good, bad), (bad, good), (bad, bad)):
        assert largest_difference(reference, values) == math.inf
        assert mean_difference(reference, values) == math.inf
        assert sqnr_db(reference, values) == -math.inf
        assert cosine(reference, values) == 0.0


def test_arrays_of_different_shapes_are_not_broadcast() -> None:
    with pytest.raises(ValueError, match=r"\(2, 1\) and \(1, 2\)"):
        sqnr_db(np.zeros((2, 1)), np.zeros((1, 2)))


def test_predicted_classes() -> None:
    scores = np.float32([[0.1, 0.7, 0.2], [3, -1, 2]])
    assert predicted_classes(scores).tolist() == [1, 0]
    assert predicted_classes(np.float32([[0.49], [0.5], [1.0]])).tolist() == [0, 1, 1]
    assert predicted_classes(np.float32([[0.4], [1.5]])) is None  # a regression
    assert predicted_classes(np.zeros((2, 3, 4), np.float32)) is None
    assert predicted_classes(np.int32([[0, 1]])) is None


def test_probabilities_are_told_from_other_numbers() -> None:
    assert are_probabilities(np.float32([[0.25, 0.75], [1, 0]]))
    assert not are_probabilities(np.float32([[0.25, 0.75], [1, 1]]))
    assert not are_probabilities(np.float32([[-0.5, 1.5]]))
    assert are_probabilities(np.float32([[0.2], [0.9]]))
    assert not are_probabilities(np.float32([[2.0]]))
    assert not are_probabilities(np.int32([[1, 0]]))
    assert not are_probabilities(np.float32([1.0]))
    assert not are_probabilities(np.zeros((0, 2), np.float32))
    assert not are_probabilities(np.float32([[math.nan, 1.0]]))


def _pairs(both: int, lost: int, won: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    before = [True] * both + [True] * lost + [False] * won + [False] * neither
    after = [True] * both + [False] * lost + [True] * won + [False] * neither
    return np.array(before), np.array(after)


def test_interval_of_a_small_worked_example() -> None:
    # b = 1.5 lost, c = 0.5 won, n = 4: centre -1/4, width 1.959964 sqrt(2 - 1/4) / 4 = 0.648198
    found = paired_difference(np.array([True, True]), np.array([True, False]))
    assert found.difference == -0.5
    assert found.low == pytest.approx(-0.898198, abs=1e-6)
    assert found.high == pytest.approx(0.398198, abs=1e-6)


def test_interval_of_a_large_worked_example() -> None:
    # Two polls of the same 1600 people: 794 approve twice, 150 no longer, 86 newly, 570 never.
    # (86.5 - 150.5) / 1602 = -0.0399501; sqrt(237 - 64² / 1602) / 1602 = 0.00955777
    found = paired_difference(*_pairs(794, 150, 86, 570))
    assert found.difference == pytest.approx(-0.04)
    assert found.low == pytest.approx(-0.058683, abs=1e-6)
    assert found.high == pytest.approx(-0.021217, abs=1e-6)


def test_interval_is_symmetric_and_stays_inside_its_bounds() -> None:
    lost, won = paired_difference(*_pairs(5, 4, 1, 3)), paired_difference(*_pairs(5, 1, 4, 3))
    assert (lost.low, lost.high) == (-won.high, -won.low)
    assert paired_difference(*_pairs(0, 3, 0, 0)).low == -1.0
    assert paired_difference(*_pairs(0, 0, 3, 0)).high == 1.0


def test_interval_without_disagreement_is_not_a_point() -> None:
    found = paired_difference(*_pairs(10, 0, 0, 0))
    assert found.difference == 0.0
    assert found.low == -found.high == pytest.approx(-1.959964 / 12, abs=1e-6)
