"""Searches for an Ethos-U: costs are what its compiler estimates, and nothing is timed here."""

from importlib.util import find_spec
from typing import Any

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from tests.tiny_models import examples
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.microcontrollers import ethos_u
from tflite_squeeze.microcontrollers.ethos_u_record import EthosUProfile, EthosURecord
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search import tune as module
from tflite_squeeze.search.candidate import budget_of, zeros_pay
from tflite_squeeze.search.limits import failures_of
from tflite_squeeze.search.measuring import costs_of
from tflite_squeeze.search.record import Loss
from tflite_squeeze.search.tables import tune_tables
from tflite_squeeze.search.tune import tune
from tflite_squeeze.tflite.flatbuffer import operator_names

NPU = "ethos-u55-128"
needs_vela = pytest.mark.skipif(find_spec("ethosu") is None, reason="no Vela")
X = examples(400, 12, 12, 3)
Y = np.argmax(X.mean((1, 2)), axis=1)
DATA = {"x_train": X[:200], "y_train": Y[:200], "x_test": X[200:], "y_test": Y[200:]}


def _model() -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3), name="x"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(X[:200], Y[:200], epochs=10, verbose=0)
    return model


def test_the_energy_by_hand() -> None:
    record = EthosURecord.model_construct(
        macs=1000, on_chip_traffic_bytes=80, off_chip_traffic_bytes=8, inferences_per_second=500.0
    )
    assert record.energy_nj == pytest.approx((300 + 80 * 12.5 + 8 * 162.5) / 1000)
    assert record.microseconds == 2000.0


def test_what_can_be_asked_for() -> None:
    for wrong, said in (({"minimize": "energy"}, "such as ethos-u55-128"),
                        ({"limits": {"ram": 1.0}}, "the NPU's name")):  # fmt: skip
        with pytest.raises(ValidationError, match=said):
            Tune.model_validate(wrong)
    asked = Tune(minimize="latency", target=NPU)
    assert not asked.is_timed
    assert budget_of(asked) == "macs"  # times of this machine say nothing of the NPU's
    assert zeros_pay(Tune(minimize="energy", target=NPU))
    limited = Tune(minimize="macs", target=NPU, limits={"energy": 2.0, "latency": 1.0})
    loss = Loss(measure="accuracy", drop=0.0, examples=10)
    assert failures_of({"energy": 1999.0, "latency": 999.0}, loss, limited) == ()
    assert len(failures_of({"energy": 2001.0, "latency": 1001.0}, loss, limited)) == 2


def test_without_vela_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ethos_u, "find_spec", lambda _name: None)
    with pytest.raises(UnsupportedError, match="ethos-u"):
        tune("nowhere.keras", Tune(minimize="energy", target=NPU), DATA)


@needs_vela
def test_costs_are_the_compilers() -> None:
    int8 = convert(_model(), Convert(quantize="int8", io_dtype="int8"), X, verification=None).tflite
    costs = costs_of(int8, Tune(minimize="energy", target=NPU), None)
    found = ethos_u.profile_ethos_u(int8, EthosUProfile(accelerator=NPU))
    assert costs["raw"] == found.compiled_bytes
    assert costs["ram"] == found.sram_bytes + found.dram_bytes > 0
    assert costs["latency"] == pytest.approx(1e6 * found.cycles / found.clock_hz)
    assert costs["energy"] == found.energy_nj
    assert found.on_chip_traffic_bytes > X[0].size
    assert found.off_chip_traffic_bytes > found.encoded_weights_bytes / 2


@needs_vela
@pytest.mark.slow
def test_a_search_for_the_least_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "inputs_for", lambda *_given, **_allowed: None)
    asked = Tune(
        minimize="energy", target=NPU, max_drop=0.1, trials=2, seconds=None, only=("narrow",)
    )
    record = (tuned := tune(_model(), asked, DATA)).record
    best, first = record.trial(record.best), record.trial(record.first)
    assert best.passed
    assert best.costs["energy"] < first.costs["energy"]
    assert {one.candidate.quantize for one in record.trials} == {"int8"}
    assert "QUANTIZE" not in operator_names(tuned.tflite)[0]  # it takes int8 and gives int8
    assert any("nothing was measured on a device" in note for note in record.notes)
    titles = {row[0] for row in tune_tables(record)[0].rows}
    assert {"run, estimated", "compiled file", "memory", "energy, a proxy"} <= titles
