"""What structure is searched over: what a model has, and what loses less than narrowing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_models import LIBRARIES, examples
from tflite_squeeze.data.data import load_data
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.network import flavors
from tflite_squeeze.recipes.folder import RunFolder
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.candidate import Candidate
from tflite_squeeze.search.folder import WIDTHS, TuneState, opened
from tflite_squeeze.search.planning import Planning

ASKED = Tune(minimize="macs", only=("narrow", "factorize"))
LIBRARY = LIBRARIES["keras"]


def _planning(store: RunFolder, model: Any, asked: Tune = ASKED) -> Planning:
    data = load_data(examples(96, 32)).fitted_to(flavors.input_specs(model))
    base = Candidate(quantize=Quantization.INT8)
    return Planning(model, asked, base, data, lambda _line: None, store)


@pytest.fixture
def store(tmp_path: Path) -> RunFolder:
    fresh = TuneState(recipe="", model="", data="")
    return opened(tmp_path, fresh, trials=1, inputs=(), resume=False, force=False)


def _two_layers(first: np.ndarray) -> Any:
    layers = LIBRARY.layers
    model = LIBRARY.Sequential([LIBRARY.Input((32,), name="x"), layers.Dense(32, name="wide"),
                                layers.Dense(32, name="out")])  # fmt: skip
    model.get_layer("wide").set_weights([first, np.zeros(32)])
    return model


def test_what_cannot_be_narrowed_is_factorized(store: RunFolder) -> None:
    model = LIBRARY.Sequential([LIBRARY.Input((32,), name="x"), LIBRARY.layers.Dense(32)])
    planning = _planning(store, model)
    assert planning.techniques == {"factorize"}
    assert planning.notes == []


def test_factors_are_left_out_where_narrowing_loses_less(store: RunFolder) -> None:
    """Half of the units are dead, and those that are left have a kernel of full rank."""
    random = np.random.default_rng(0)
    kernel = random.normal(size=(32, 32))
    kernel[:, ::2] = 0
    planning = _planning(store, _two_layers(kernel))
    assert planning.techniques == {"narrow"}
    assert "fewer channels" in planning.notes[0]


def test_factors_that_lose_less_are_searched_beside_widths(store: RunFolder) -> None:
    """The first kernel has rank 6, and no unit is a linear function of the others."""
    random = np.random.default_rng(0)
    kernel = random.normal(size=(32, 6)) @ random.normal(size=(6, 32))
    layers = LIBRARY.layers
    model = LIBRARY.Sequential(
        [
            LIBRARY.Input((32,), name="x"),
            layers.Dense(32, "tanh", name="wide"),
            layers.Dense(4, name="out"),
        ]
    )
    model.get_layer("wide").set_weights([kernel, np.zeros(32)])
    assert _planning(store, model).techniques == {"narrow", "factorize"}


def test_microcontrollers_take_widths_of_four_channels(store: RunFolder) -> None:
    model = _two_layers(np.random.default_rng(0).normal(size=(32, 32)))
    asked = Tune(minimize="ram", target="micro", only=("narrow",))
    widths = {_planning(store, model, asked).narrowed(keep).config.layers["wide"]
              for keep in (0.3, 0.4, 0.5, 0.6)}  # fmt: skip
    assert any(32 * ratio % 8 for ratio in widths)
    assert not any(32 * ratio % 4 for ratio in widths)


def test_factors_are_left_out_where_memory_counts(store: RunFolder) -> None:
    model = LIBRARY.Sequential([LIBRARY.Input((32,), name="x"), LIBRARY.layers.Dense(32)])
    for asked in ({"minimize": "ram"}, {"minimize": "raw", "limits": {"ram": 1e6}}):
        wanted = Tune.model_validate({**asked, "target": "micro", "only": ["narrow", "factorize"]})
        assert _planning(store, model, wanted).techniques == frozenset()
    less = Tune(minimize="raw", target="micro", only=("narrow", "factorize"))
    assert _planning(store, model, less).techniques == {"factorize"}


def test_what_is_measured_stays_in_the_folder(
    store: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    model = _two_layers(random.normal(size=(32, 32)))
    asked = Tune(minimize="macs", only=("narrow",))
    plan = _planning(store, model, asked).narrowed(0.5)
    kept = store.read(WIDTHS)
    puts: list[str] = []
    monkeypatch.setattr(store, "put", lambda name, _content: puts.append(name))
    assert _planning(store, model, asked).narrowed(0.5) == plan
    assert puts == []
    other = asked.model_copy(update={"protect": ("out",)})
    assert _planning(store, model, other).narrowed(0.5).cost == plan.cost
    assert set(puts) == {WIDTHS}
    assert store.read(WIDTHS) == kept


@pytest.mark.slow
def test_factors_that_gain_no_time_are_left_out(store: RunFolder) -> None:
    random = np.random.default_rng(0)
    asked = Tune(minimize="latency", only=("factorize",))
    planning = _planning(store, _two_layers(random.normal(size=(32, 32))), asked)
    assert planning.techniques == frozenset()
    assert "of the time" in planning.notes[0]
