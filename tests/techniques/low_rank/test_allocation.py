"""One budget over all layers."""

from typing import Any

import pytest

from tests import tiny_models
from tests.techniques.low_rank.test_repair import residual
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.observing import call_shapes
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorable import find, weighed
from tflite_squeeze.techniques.low_rank.factorize import factorize
from tflite_squeeze.techniques.low_rank.rank_choice import affordable


def test_options_of_a_layer_get_better_as_they_cost_more(library: Any) -> None:
    model = tiny_models.dense(library)
    (one, _) = find(model, Factorize(rank=1), call_shapes(model)).layers
    ways = affordable(weighed(one, None), Factorize(budget="macs", keep=0.5), "macs")
    # A rank of 8 x 16 costs 24, so that 5 ranks are cheaper than the whole layer.
    assert [way.cost("macs", 128) for way in ways] == [24, 48, 72, 96, 120, 128]
    losses = [way.loss for way in ways]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == 0
    config = Factorize(budget="macs", keep=0.5, ranks={"hidden": 2})
    named = affordable(weighed(one, None), config, "macs")
    assert [way.choice and way.choice.ranks for way in named] == [(2,)]


@pytest.mark.parametrize("unit", ["macs", "bytes"])
def test_a_budget_is_kept_and_its_spending_recorded(library: Any, unit: str) -> None:
    model, x = residual(library), tiny_models.examples(160, 6, 6, 3)
    config = Factorize(budget=unit, keep=0.6)
    _, record = factorize(model, config, {"x": x}, one_shot=True)
    ratio = record.macs_ratio if unit == "macs" else record.parameters_ratio
    assert 0.5 < ratio <= 0.6
    assert record.reached
    spent = record.allocation
    assert spent is not None
    assert (spent.unit, spent.by, spent.samples) == (unit, "divergence", 40)
    assert spent.trials
    assert spent.trials[0].repaired is not None
    found = [trial.divergence for trial in spent.trials]
    assert found == sorted(found)


def test_layers_that_the_answers_do_not_need_are_cut_first(library: Any) -> None:
    library.utils.set_random_seed(0)
    layers = library.layers
    x = library.Input((16,), name="x")
    needed = layers.Dense(16, name="needed")(x)
    idle = layers.Dense(16, name="idle")(x)
    scaled = layers.Rescaling(1e-3, name="scaled")(idle)
    model = library.Model(x, layers.Add(name="sum")([needed, scaled]))
    samples = tiny_models.examples(160, 16)
    # Both lose the same energy at a rank; only what the answers need tells them apart.
    _, record = factorize(model, Factorize(budget="macs", keep=0.6), {"x": samples}, one_shot=True)
    assert [split.layer for split in record.layers] == ["idle"]


def test_without_samples_the_energy_decides_and_the_record_says_so(library: Any) -> None:
    model = residual(library)
    _, record = factorize(model, Factorize(budget="macs", keep=0.6))
    assert record.allocation is not None
    assert record.allocation.by == "energy"
    assert record.repair is None
    with pytest.raises(UsageError, match="need"):
        factorize(model, Factorize(budget="macs", keep=0.001))
