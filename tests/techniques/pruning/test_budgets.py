"""How sparsity is spread, on hand-computed numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_squeeze.techniques.pruning.budgets import (
    allocate_by_curves,
    allocate_globally,
    erdos_renyi,
)


def test_a_global_ranking_takes_the_lowest_of_all() -> None:
    low, high = np.array([0.1, 0.2, 0.3, 0.4]), np.array([1.0, 2.0, 3.0, 0.25])
    assert allocate_globally([low, high], 0.5) == [0.75, 0.25]


def test_a_global_ranking_leaves_what_a_tensor_must_keep() -> None:
    low, high = np.array([0.1, 0.2, 0.3, 0.4]), np.array([1.0, 2.0, 3.0, 4.0])
    assert allocate_globally([low, high], 0.5) == [1.0, 0.0]
    assert allocate_globally([low, high], 0.5, most=0.75) == [0.75, 0.25]
    assert allocate_globally([low, high], 0.9, most=0.5) == [0.5, 0.5]


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    sparsity=st.floats(0, 0.99),
    most=st.floats(0.5, 1),
    seed=st.integers(0, 99),
)
def test_a_global_ranking_meets_the_sum(
    sizes: list[int], sparsity: float, most: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shares = allocate_globally([rng.random(size) for size in sizes], sparsity, most)
    zeros = sum(round(share * size) for share, size in zip(shares, sizes, strict=True))
    limits = [int(np.floor(most * size)) for size in sizes]
    assert zeros == min(round(sparsity * sum(sizes)), sum(limits))
    assert all(
        round(share * size) <= limit
        for share, size, limit in zip(shares, sizes, limits, strict=True)
    )


def test_erdos_renyi_by_hand() -> None:
    # (10, 10): raw 20 / 100 = 0.2. (100, 100): raw 200 / 10000 = 0.02. Kept: 20 s + 200 s = 1010.
    shares = erdos_renyi([(10, 10), (100, 100)], 0.9)
    scale = 1010 / 220
    assert shares == pytest.approx([1 - 0.2 * scale, 1 - 0.02 * scale])


def test_erdos_renyi_keeps_small_tensors_whole() -> None:
    # The first would keep more than it has; it stays whole, and the rest bears all.
    shares = erdos_renyi([(2, 2), (100, 100)], 0.5)
    assert shares[0] == 0.0
    assert shares[1] * 10_000 == pytest.approx(0.5 * 10_004)


def test_curves_are_cut_at_one_loss() -> None:
    # Both lose 0.1 where the first is at 0.8 and the second at 0.4.
    curves = [[(0.8, 0.1)], [(0.8, 0.2)]]
    assert allocate_by_curves(curves, [10, 10], 0.6, 1.0) == pytest.approx([0.8, 0.4], abs=1e-5)


@settings(deadline=None)
@given(
    curves=st.lists(
        st.tuples(st.floats(-0.1, 1), st.floats(-0.1, 1), st.floats(-0.1, 1)),
        min_size=1,
        max_size=4,
    ),
    sparsity=st.floats(0, 0.95),
    seed=st.integers(0, 99),
)
def test_curves_meet_the_sum(
    curves: list[tuple[float, float, float]], sparsity: float, seed: int
) -> None:
    sizes = np.random.default_rng(seed).integers(1, 100, len(curves))
    points = [list(zip((0.3, 0.6, 0.9), losses, strict=True)) for losses in curves]
    found = np.array(allocate_by_curves(points, sizes.tolist(), sparsity, 1.0))
    assert np.dot(found, sizes) == pytest.approx(sparsity * sizes.sum(), abs=1e-6 * sizes.sum())
    assert ((found >= 0) & (found <= 1)).all()
