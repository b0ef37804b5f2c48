"""Widths under one budget: within it, better than one ratio for all, and in multiples."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.techniques.narrowing.test_narrow import residual
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.narrowing import narrow as verb
from tflite_squeeze.techniques.narrowing.allocation import Costs
from tflite_squeeze.techniques.narrowing.channels import channels_of
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.narrow import narrow
from tflite_squeeze.tflite.footprint import footprint

IMAGES = {"x_train": tiny_models.examples(96, 6, 6, 1)}


def test_costs_are_those_of_the_smaller_model(library: Any) -> None:
    """A Dense layer of 8 → 16 → 3 without half of its units has half of its weights."""
    channels = channels_of(tiny_models.dense(library))
    (group,) = [group for group in channels.groups if not group.fixed]
    stays = np.ones(len(channels.group_of), bool)
    assert Costs(channels, "macs").of(stays) == Costs(channels, "bytes").of(stays) == 1
    stays[group.units[:8]] = False
    assert Costs(channels, "macs").of(stays) == pytest.approx(0.5)
    whole, half = 8 * 16 + 16 * 3 + 4 * (16 + 3), 8 * 8 + 8 * 3 + 4 * (8 + 3)
    assert Costs(channels, "bytes").of(stays) == pytest.approx(half / whole)


@pytest.mark.parametrize("budget", ["macs", "bytes"])
def test_the_best_widths_within_the_budget(library: Any, budget: Any) -> None:
    told: list[tuple[int, int]] = []
    model = residual(library)
    narrower, record = narrow(
        model, Narrow(budget=budget, keep=0.6, multiple=2), IMAGES, one_shot=True
    )
    search = record.search
    assert search is not None
    assert 0.3 < search.cost <= 0.6
    assert search.divergence == min(one.divergence for one in search.trials if one.cost <= 0.6)
    assert record.reached
    assert all(group.after % 2 == 0 for group in record.groups)
    assert search.held_back == 32
    if budget == "macs":
        files = [convert(one, Convert(sparsity="dense")).tflite for one in (narrower, model)]
        narrow_macs, whole_macs = (footprint(file).macs for file in files)
        assert narrow_macs / whole_macs == pytest.approx(search.cost, abs=0.02)
    assert told == []


def test_times_come_from_files(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up times say that parameters cost nothing, and that layers cost by their width."""

    def times(models: Any, _quantize: Any) -> Any:
        widths = [sum(weight.shape[-1] for weight in model.weights) for model in models]
        return np.array(widths, float)[:, None]

    monkeypatch.setattr(verb, "model_times", times)
    config = Narrow(budget="latency", keep=0.7, multiple=2)
    _, record = narrow(residual(library), config, IMAGES, one_shot=True)
    assert record.search is not None
    assert 0.4 < record.search.cost <= 0.7


def test_a_search_needs_samples(library: Any) -> None:
    with pytest.raises(UsageError, match="budget='macs' searches on samples: pass data"):
        narrow(residual(library), Narrow(budget="macs", keep=0.5))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"budget": "macs"}, "budget and keep go together"),
        ({"keep": 0.5}, "budget and keep go together"),
        ({"budget": "macs", "keep": 0.5, "ratio": 0.5}, "contradict budget"),
    ],
)
def test_settings_that_contradict_each_other(settings: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Narrow(**settings)
