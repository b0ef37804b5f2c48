"""How much each tensor loses, on hand-computed numbers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tiny_models
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.pruning.budget import (
    allocate_by_curves,
    final_sparsity,
    tensor_sparsities,
    unit_of,
)
from tflite_squeeze.techniques.pruning.config import Prune


@pytest.fixture
def targets(library: Any) -> Any:
    """hidden/kernel 8x16 and scores/kernel 16x3: 128 and 48 weights."""
    return select(tiny_models.dense(library)).targets


def shares(config: Prune, targets: Any, sparsity: float, **options: Any) -> list[float]:
    scores = [np.ones(target.matrix_shape) for target in targets]
    scores[0] = scores[0] / 2
    return tensor_sparsities(config, targets, scores, sparsity, **options)


def test_uniform(targets: Any) -> None:
    assert shares(Prune(sparsity=0.5), targets, 0.3) == [0.3, 0.3]


def test_global_takes_the_lower_tensor_first(targets: Any) -> None:
    config = Prune(sparsity=0.5, budget="global")
    assert shares(config, targets, 0.5) == [88 / 128, 0.0]
    assert shares(config, targets, 0.9) == [127 / 128, 31 / 48]


def test_erdos_renyi_adds_up(targets: Any) -> None:
    first, second = shares(Prune(sparsity=0.8, budget="erk"), targets, 0.8)
    assert first > second
    assert 128 * first + 48 * second == pytest.approx(0.8 * 176)


def test_layers_have_their_own_share_along_the_way(targets: Any) -> None:
    config = Prune(sparsity=0.8, layers={"Dense": 0.4, "scores": 0.2})
    assert shares(config, targets, 0.8) == [0.4, 0.2]
    assert shares(config, targets, 0.4) == [0.2, 0.1]
    assert final_sparsity(config, targets) == pytest.approx((128 * 0.4 + 48 * 0.2) / 176)
    half = Prune(sparsity=0.8, layers={"scores": 0.2})
    assert shares(half, targets, 0.8) == [0.8, 0.2]


def test_a_pattern_that_means_no_layer_is_an_error(targets: Any) -> None:
    with pytest.raises(UsageError, match="layers names 'conv', which matches none of hidden, sc"):
        shares(Prune(sparsity=0.8, layers={"conv": 0.4}), targets, 0.8)


def test_sensitivity_needs_curves(targets: Any) -> None:
    config = Prune(sparsity=0.5, budget="sensitivity")
    with pytest.raises(UsageError, match="budget 'sensitivity' needs measured curves"):
        shares(config, targets, 0.5)
    curves = {"hidden/kernel": [(0.9, 0.0)], "scores/kernel": [(0.1, 0.5), (0.9, 0.9)]}
    first, second = shares(config, targets, 0.5, curves=curves)
    assert first > second
    assert 128 * first + 48 * second == pytest.approx(0.5 * 176)


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


def test_goals_of_patterns_and_thresholds(targets: Any) -> None:
    assert final_sparsity(Prune(granularity="2:4"), targets) == 0.5
    assert final_sparsity(Prune(granularity="2:4", layers={"hidden": 0.9}), targets) == 0.5
    assert final_sparsity(Prune(threshold=0.1), targets) == 0.0


def test_units(targets: Any) -> None:
    hidden = targets[0]
    assert unit_of(Prune(sparsity=0.5), hidden) == 1
    assert unit_of(Prune(sparsity=0.5, granularity="2x4"), hidden) == 8
    assert unit_of(Prune(sparsity=0.5, granularity="filter"), hidden) == 8
    assert unit_of(Prune(granularity="2:4"), hidden) == 4
    assert unit_of(Prune(granularity="1:3"), hidden) == 16 * 2 + 3
