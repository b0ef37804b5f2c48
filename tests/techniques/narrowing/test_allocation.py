"""Widths under one budget: within it, better than one ratio for all, and in multiples."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.techniques.narrowing.test_narrow import residual
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.data.data import load_data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.techniques.narrowing import narrow as verb
from tflite_squeeze.techniques.narrowing.allocation import Costs, Singles
from tflite_squeeze.techniques.narrowing.channels import channels_of
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.narrow import narrow
from tflite_squeeze.techniques.narrowing.plans import Plans
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
def test_costs_of_many_widths_at_once(library: Any, budget: Any) -> None:
    channels = channels_of(residual(library))
    groups = [group for group in channels.groups if not group.fixed]
    costs, rng = Costs(channels, budget), np.random.default_rng(0)

    def stays(widths: dict[int, int]) -> Any:
        found = np.ones(len(channels.group_of), bool)
        for at, width in widths.items():
            found[groups[at].units[width:]] = False
        return found

    widths = [range(1, group.size + 1) for group in groups]
    many = costs.of_many([[stays({at: one}) for one in own] for at, own in enumerate(widths)])
    places = np.stack([rng.integers(len(own), size=16) for own in widths], axis=1)
    whole = [costs.of(stays({at: int(one) + 1 for at, one in enumerate(row)})) for row in places]
    np.testing.assert_allclose(many(places), whole, rtol=1e-9)


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


class _Widths:
    """In place of times: parameters cost nothing, and layers cost by their width."""

    def __init__(self, model: Any, _quantize: Any) -> None:
        self._whole = self._of(model)

    @staticmethod
    def _of(model: Any) -> int:
        return sum(weight.shape[-1] for weight in model.weights)

    def shares(self, models: Any) -> list[float]:
        return [self._of(model) / self._whole for model in models]


LATENCY = Narrow(budget="latency", keep=0.5, multiple=2)


def _plans(library: Any, config: Narrow, *more: Any, **known: Any) -> Plans:
    model = residual(library)
    data = load_data(IMAGES).fitted_to(flavors.input_specs(model))
    return Plans(model, config, data, *more, **known)


def test_plans_are_made_once_and_predict_what_they_cost(
    library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What layers cost by their width adds up over the groups: the prediction is exact."""
    monkeypatch.setattr(verb, "TimedBeside", _Widths)
    plans = _plans(library, LATENCY)
    plan = plans.at(0.7)
    assert plan.cost <= 0.7
    assert plan.predicted == pytest.approx(plan.cost, rel=0.1)
    assert plans.at(0.7) is plan


class _MostlyOverhead(_Widths):
    """Two thirds of a time are no arithmetic."""

    def shares(self, models: Any) -> list[float]:
        return [(2 + share) / 3 for share in super().shares(models)]


def test_where_little_can_be_saved_shares_are_of_that(
    library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "TimedBeside", _MostlyOverhead)
    plans = _plans(library, LATENCY)
    found = [plans.at(plans.reachable(keep)) for keep in (0.2, 0.5, 0.8)]
    assert len({tuple(one.config.layers.items()) for one in found}) == 3
    assert 0.6 < found[0].cost < found[1].cost < found[2].cost < 1
    assert plans.at(0.2).config == plans.at(0.4).config


def test_without_time_fewer_widths_are_measured(library: Any) -> None:
    config, counts = Narrow(budget="macs", keep=0.5, multiple=1), []
    for seconds in (None, 1e-6):
        told: list[int] = []
        plans = _plans(library, config, lambda _, of, to=told: to.append(of), seconds)
        assert plans.at(0.5).cost <= 0.6
        counts.append(max(told))
    assert counts[1] < counts[0]


def test_a_measurement_goes_on_where_it_was_interrupted(
    library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "TimedBeside", _Widths)
    kept: list[Singles] = []
    plan = _plans(library, LATENCY, keep=kept.append).at(0.6)
    assert [len(one.divergences) for one in kept[:3]] == [1, 2, 3]
    for known, missing in ((kept[1], len(kept) - 2), (kept[-1], 0)):
        again: list[Singles] = []
        assert _plans(library, LATENCY, before=known, keep=again.append).at(0.6) == plan
        assert again == kept[len(kept) - missing :]


def test_times_come_from_files(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "TimedBeside", _Widths)
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
