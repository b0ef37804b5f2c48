"""Masks on hand-computed numbers, and what has to hold for any."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_squeeze.network.projections import nonzero
from tflite_squeeze.techniques.pruning.masks import (
    Block,
    Element,
    Filter,
    Pattern,
    lowest,
    parse_granularity,
)

SCORES = np.array([[1.0, 8.0, 3.0, 6.0], [7.0, 2.0, 5.0, 4.0]])
SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))


def scores(shape: tuple[int, int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape)


def test_granularities_are_read() -> None:
    assert parse_granularity("1x16") == Block(1, 16)
    assert parse_granularity("2:4").fixed_sparsity == 0.5
    assert parse_granularity("filter").fixed_sparsity is None


@pytest.mark.parametrize("text", ["", "4:2", "4:4", "0:4", "0x4", "4x", "row", "1x4x4", "-1x4"])
def test_what_is_no_granularity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="use element, filter, a block such as 1x4, or N:M"):
        parse_granularity(text)


def test_elements() -> None:
    mask = parse_granularity("element").mask(SCORES, 0.5)
    assert mask.tolist() == [[False, True, False, True], [True, False, True, False]]


def test_filters_are_whole_rows() -> None:
    mask = Filter().mask(np.array([[9.0, 0.0], [4.0, 4.0], [1.0, 20.0]]), 1 / 3)
    assert mask.tolist() == [[True, True], [False, False], [True, True]]


def test_blocks_go_by_their_mean() -> None:
    # Means: 4.5, 4.5 | 4.5, 4.5 for 2x2 are ties; 1x2 has 4.5, 4.5, 4.5, 4.5 too: shift one.
    shifted = SCORES + np.array([[0, 0, 0, 0], [0, 0, -4, 0]])
    mask = parse_granularity("1x2").mask(shifted, 0.25)
    assert mask.tolist() == [[True] * 4, [True, True, False, False]]


def test_blocks_at_the_edge_are_smaller() -> None:
    # Five columns in blocks of four: the last block is one wide, and its mean is its value.
    mask = parse_granularity("1x4").mask(np.array([[1.0, 1.0, 1.0, 1.0, 0.5]]), 0.5)
    assert mask.tolist() == [[True] * 4 + [False]]


def test_two_of_four() -> None:
    mask = parse_granularity("2:4").mask(SCORES, 0.5)
    assert mask.tolist() == [[False, True, False, True], [True, False, True, False]]


def test_half_of_the_pattern_starts_where_least_is_lost() -> None:
    # The first row loses 1 + 3, the second 2 + 4.
    mask = parse_granularity("2:4").mask(SCORES, 0.25)
    assert mask.tolist() == [[False, True, False, True], [True] * 4]


@settings(deadline=None)
@given(shape=SHAPES, sparsity=st.floats(0, 1), seed=st.integers(0, 99), ties=st.booleans())
def test_zeros_are_as_many_as_asked(
    shape: tuple[int, int], sparsity: float, seed: int, ties: bool
) -> None:
    values = np.ones(shape) if ties else scores(shape, seed)
    mask = Element().mask(values, sparsity)
    assert abs(np.sum(~mask) - sparsity * values.size) <= 1
    if mask.any() and not mask.all():
        assert values[~mask].max() <= values[mask].min()


@settings(deadline=None)
@given(
    shape=SHAPES,
    sparsity=st.floats(0, 1),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_blocks_are_whole(
    shape: tuple[int, int], sparsity: float, rows: int, columns: int, seed: int
) -> None:
    mask = Block(rows, columns).mask(scores(shape, seed), sparsity)
    assert mask.shape == shape
    blocks = [
        mask[top : top + rows, left : left + columns]
        for top in range(0, shape[0], rows)
        for left in range(0, shape[1], columns)
    ]
    assert all(block.all() or not block.any() for block in blocks)
    assert abs(sum(not block.any() for block in blocks) - sparsity * len(blocks)) <= 1


@settings(deadline=None)
@given(shape=SHAPES, m=st.integers(2, 8), data=st.data(), seed=st.integers(0, 99))
def test_n_of_m_holds_in_every_group(
    shape: tuple[int, int], m: int, data: st.DataObject, seed: int
) -> None:
    n = data.draw(st.integers(1, m - 1))
    values = scores(shape, seed)
    mask = Pattern(n, m).mask(values, 1 - n / m)
    for row, kept in zip(values, mask, strict=True):
        for start in range(0, shape[1], m):
            group, stays = row[start : start + m], kept[start : start + m]
            assert stays.sum() == min(n, len(group))
            assert set(group[stays]) == set(sorted(group)[-int(stays.sum()) :])


def test_units() -> None:
    assert Element().unit(16, 8) == 1
    assert Block(2, 4).unit(16, 8) == 8
    assert Filter().unit(16, 8) == 8
    assert Pattern(2, 4).unit(16, 8) == 4
    # Two of the eight inputs of every output are a group too short to have its zeros.
    assert Pattern(1, 3).unit(16, 8) == 16 * 2 + 3


def test_lowest_is_exact_on_ties() -> None:
    assert len(lowest(np.zeros(7), 3)) == 3
    assert lowest(np.arange(4), 0).size == 0
    assert sorted(lowest(np.arange(4), 9)) == [0, 1, 2, 3]


def test_zeros_that_come_with_a_weight_stay_unless_all_is_zero() -> None:
    assert nonzero(np.array([0.0, 2.0])).tolist() == [False, True]
    assert nonzero(np.zeros(2)).tolist() == [True, True]
