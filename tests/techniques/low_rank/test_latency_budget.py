"""A latency budget: what is alike is timed once, and a file that is too slow is planned again."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.network.observing import call_shapes
from tflite_squeeze.techniques.low_rank import factorize as verb
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorable import find, weighed
from tflite_squeeze.techniques.low_rank.factorize import factorize
from tflite_squeeze.techniques.low_rank.latency_judge import latency_clock
from tflite_squeeze.techniques.low_rank.record import LayerTime


def _judge(whole: Any, others: Any) -> list[LayerTime]:
    """Times that are as many microseconds as a model has weights in its matrices."""
    weights = [
        sum(one.size for one in model.get_weights() if one.ndim > 1) for model in (whole, *others)
    ]
    return [
        LayerTime(whole_us=weights[0], split_us=one, ratio=one / weights[0]) for one in weights[1:]
    ]


def test_alike_layers_are_timed_once(library: Any) -> None:
    library.utils.set_random_seed(0)
    layers = library.layers
    model = library.Sequential(
        [library.Input((8,)), *(layers.Dense(8, name=name) for name in ("one", "two"))]
    )
    calls = []

    def judge(whole: Any, others: Any) -> list[LayerTime]:
        calls.append(len(others))
        return _judge(whole, others)

    shapes = call_shapes(model)
    found = find(model, Factorize(rank=1), shapes).layers
    clock = latency_clock(judge, shapes, "plain")
    for one in found:
        ways = [one.choice("channel", (rank,)) for rank in (1, 2)]
        assert clock(weighed(one, None), ways) == (64.0, [16.0, 32.0])
    assert calls == [2]


def test_a_budget_of_time_is_kept_or_said_to_be_missed(
    library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, x = tiny_models.dense(library), tiny_models.examples(64, 8)
    rounds: list[float] = []

    def slower(whole: Any, others: Any) -> list[LayerTime]:
        times = _judge(whole, others)
        if len(others) == 1 and len(others[0].layers) > len(whole.layers) > 1:
            rounds.append(times[0].ratio)
            return [time.model_copy(update={"ratio": 1.1 * time.ratio}) for time in times]
        return times

    monkeypatch.setattr(verb, "latency_judge", lambda _: slower)
    config = Factorize(budget="latency", keep=0.7)
    _, record = factorize(model, config, {"x": np.asarray(x)}, one_shot=True)
    assert record.file_time is not None
    assert record.allocation is not None
    assert record.allocation.unit == "latency"
    assert rounds[-1] < 0.7 / 1.1 < rounds[0]
    assert record.file_time.ratio <= 0.7
    assert record.reached
    late = record.model_copy(
        update={"file_time": record.file_time.model_copy(update={"ratio": 0.8})}
    )
    assert late.shortfalls == ("the file takes 80.00% of the time, not 70.00%",)
