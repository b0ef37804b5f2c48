"""Parts of outputs on numbers worked out by hand."""

import math
import time

import numpy as np
import pytest

from tflite_squeeze.runtime.parts import label_errors, parts_of


def test_each_column_is_held_to_what_it_varies_by() -> None:
    # Column 0: deviation 100, every answer off by 1: 40 dB. Column 1: deviation 1, off by 1: 0 dB.
    reference = np.float32([[100, 1], [300, 3]])
    (parts,) = parts_of(reference, reference + np.float32([1, 1]))
    assert parts.axis == -1
    assert parts.mean.tolist() == [200, 2]
    assert parts.spread.tolist() == [100, 1]
    assert parts.sqnr_db == pytest.approx([40, 0])
    assert parts.frozen.tolist() == [False, False]
    assert parts.kind.tolist() == [1, 0]


def test_a_large_offset_is_no_signal() -> None:
    reference = np.float32([299, 301])
    (parts,) = parts_of(reference, np.float32([300, 300]))
    assert parts.sqnr_db == pytest.approx([0])  # 48 dB with the offset
    assert parts.frozen.tolist() == [True]


def test_a_constant_is_held_to_its_own_size() -> None:
    reference = np.full((4, 1), 200.0)
    (parts,) = parts_of(reference, reference + 2)
    assert parts.sqnr_db == pytest.approx([40])
    assert not parts.frozen.any()


def test_what_is_nothing_is_held_to_the_whole_output() -> None:
    # Sizes 0 and 100: sqrt(100² / 2) = 70.71 over all; off by 0.7071: 40 dB.
    reference = np.float64([[0, 100], [0, -100]])
    (parts,) = parts_of(reference, reference + np.array([0.7071067811865476, 0.0]))
    assert parts.sqnr_db.tolist() == [pytest.approx(40), math.inf]


def test_many_parts_of_one_kind_share_a_scale() -> None:
    # Seven columns of deviation 1 and one of 0.125; the kind varies by sqrt((7 + 1/64) / 8).
    deviations = np.array([1.0] * 7 + [0.125])
    reference = np.outer([1, -1], deviations)
    (parts,) = parts_of(reference, reference + 0.1)
    typical = math.sqrt((7 + 1 / 64) / 8)
    assert parts.sqnr_db[0] == pytest.approx(20)
    assert parts.sqnr_db[7] == pytest.approx(20 * math.log10(0.3 * typical / 0.1))
    (few,) = parts_of(reference[:, 1:], reference[:, 1:] + 0.1)  # seven are no kind
    assert few.sqnr_db[6] == pytest.approx(20 * math.log10(1.25))


def test_a_score_that_hardly_moves_decides_nothing() -> None:
    scores = np.float64([[0.001, 0.9], [0.003, 0.1]])  # the first has a deviation of 0.001
    (parts,) = parts_of(scores, scores + np.array([0.001, 0.0]))
    assert parts.sqnr_db[0] == pytest.approx(20)  # 0.01 / 0.001
    (others,) = parts_of(10 * scores, 10 * scores + np.array([0.01, 0.0]))  # no scores
    assert others.sqnr_db[0] == pytest.approx(0)


def test_other_axes_are_looked_at_where_their_scales_differ() -> None:
    signs = np.array([1, -1]).reshape(2, 1, 1)
    alike = signs * np.ones((2, 3, 4))
    assert [parts.axis for parts in parts_of(alike, alike)] == [-1]
    first_small = alike * np.array([0.01, 1, 1]).reshape(1, 3, 1)
    last, middle = parts_of(first_small, first_small + 0.01)
    assert (last.axis, middle.axis) == (-1, 1)
    assert middle.sqnr_db == pytest.approx([0, 40, 40])
    assert last.sqnr_db.min() > 30


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_values_that_are_not_finite_are_the_worst_there_is(broken: float) -> None:
    reference = np.float32([[1, 2], [3, 4]])
    values = reference.copy()
    values[0, 1] = broken
    (parts,) = parts_of(reference, values)
    assert parts.sqnr_db.tolist() == [math.inf, -math.inf]


def test_equal_answers_are_exact_and_nothing_has_no_parts() -> None:
    reference = np.arange(6).reshape(3, 2)
    (parts,) = parts_of(reference, reference)
    assert parts.sqnr_db.tolist() == [math.inf, math.inf]
    assert parts_of(np.zeros((0, 3)), np.zeros((0, 3))) == ()


def test_the_share_that_is_lost_is_counted_by_kind() -> None:
    spread = np.array([640.0] * 4 + [1.0] * 2)
    reference = np.outer([1, -1], spread)
    (parts,) = parts_of(reference, reference + np.array([0, 0, 0, 0, 0, 2]))
    assert parts.lost(6).tolist() == [False] * 5 + [True]
    assert parts.lost_of_kind(6) == 0.5


def test_one_dead_feature_among_hundreds_is_no_kind() -> None:
    reference = np.outer([1, -1], [1.0] * 199 + [0.001])
    (parts,) = parts_of(reference, reference + np.eye(1, 200, 199))
    assert parts.lost_of_kind(6) == 1 / 200


def test_wide_outputs_are_quick() -> None:
    reference = np.random.default_rng(0).standard_normal((32, 100_000)).astype(np.float32)
    started = time.process_time()
    (parts,) = parts_of(reference, reference + np.float32(0.1))
    assert time.process_time() - started < 2
    assert len(parts.sqnr_db) == 100_000


def test_errors_against_labels() -> None:
    labels = np.float64([[0, 10], [2, 30]])
    reference, values = labels + np.array([1, 0]), labels + np.array([[1, 3], [3, 1]])
    found = label_errors(reference, values, labels)
    assert found.reference.tolist() == [1, 0]
    assert found.values.tolist() == [2, 2]
    assert found.unit.tolist() == [1, 10]
    # Column 0 rises by 0 and 2: 1 - 1.959964 / sqrt(2); column 1 by 3 and 1: 2 - the same.
    assert found.low == pytest.approx([1 - 1.385904, 2 - 1.385904], abs=1e-6)


def test_columns_of_one_kind_share_a_unit() -> None:
    labels = np.outer([2, -2], [1.0] * 7 + [0.125])
    found = label_errors(labels, labels, labels)
    assert found.unit[7] == pytest.approx(0.3 * 2 * math.sqrt((7 + 1 / 64) / 8))


def test_an_example_is_one_observation_however_many_positions_it_has() -> None:
    labels = np.zeros((2, 3, 1))
    found = label_errors(labels, labels + 1, labels)
    assert (found.values.tolist(), found.low.tolist()) == ([1], [1])
