"""The sparsity of each tensor of a model, by the budget and by layer."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.sparsities import final_sparsity, tensor_sparsities


@pytest.fixture
def targets(library: Any) -> Any:
    """hidden/kernel 8x16 and scores/kernel 16x3: 128 and 48 weights."""
    return select(tiny_models.dense(library)).targets


def shares(config: Prune, targets: Any, sparsity: float, **options: Any) -> list[float]:
    scores = [np.ones(target.matrix_shape) for target in targets]
    scores[0] = scores[0] / 2
    return tensor_sparsities(config, targets, scores, sparsity, **options)


def test_uniform(targets: Any) -> None:
    assert shares(Prune(sparsity=0.5, budget="uniform"), targets, 0.3) == [0.3, 0.3]


def test_a_pattern_leaves_no_choice(targets: Any) -> None:
    assert shares(Prune(granularity="2:4"), targets, 0.5) == [0.5, 0.5]


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


def test_goals_of_patterns_and_thresholds(targets: Any) -> None:
    assert final_sparsity(Prune(granularity="2:4"), targets) == 0.5
    assert final_sparsity(Prune(granularity="2:4", layers={"hidden": 0.9}), targets) == 0.5
    assert final_sparsity(Prune(threshold=0.1), targets) == 0.0


def by_depth(sizes: list[int], sparsity: float, floor: float = 0.0) -> list[float]:
    """A user's budget: the first tensor loses all that it may, the others the rest."""
    rest = (sparsity * sum(sizes) - 0.75 * sizes[0]) / sum(sizes[1:])
    return [0.75, *[max(floor, rest)] * (len(sizes) - 1)]


def test_a_budget_of_ones_own(targets: Any) -> None:
    config = Prune(sparsity=0.6, budget=by_depth)
    expected = [0.75, pytest.approx((0.6 * 176 - 96) / 48)]
    assert shares(config, targets, 0.6) == expected
    read = Prune.model_validate_json(config.model_dump_json())
    assert read.budget == "tests.techniques.pruning.test_sparsities:by_depth"
    assert shares(read, targets, 0.6) == expected


@pytest.mark.parametrize("wrong", [lambda sparsity: [sparsity], lambda sizes: [2.0 for _ in sizes]])
def test_a_budget_that_answers_nonsense_is_refused(targets: Any, wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"for 2 tensors: return a sparsity in \[0, 1\] for each"):
        shares(Prune(sparsity=0.5, budget=wrong), targets, 0.5)
