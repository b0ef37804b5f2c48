"""Models as people write them: inputs without names, in memory and never saved."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_models import examples
from tests.trained_models import in_turn
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.network import flavors
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.squeezing.squeeze import squeeze
from tflite_squeeze.techniques.binarization.binarize import binarize
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorize import factorize
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.narrow import narrow
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.sharing.cluster import cluster
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.tflite.signatures import signatures_of
from tflite_squeeze.training.config import FineTune

pytestmark = pytest.mark.slow

DATA = {"x": examples(32, 8), "y": np.arange(32) % 3}


def sequential(library: Any) -> Any:
    layers = library.layers
    hidden = layers.Dense(16, activation="relu", name="hidden")
    return library.Sequential([library.Input((8,)), hidden, layers.Dense(3, name="scores")])


def functional(library: Any) -> Any:
    inputs = library.Input((8,))
    hidden = library.layers.Dense(16, activation="relu", name="hidden")(inputs)
    return library.Model(inputs, library.layers.Dense(3, name="scores")(hidden))


@pytest.fixture(params=[sequential, functional])
def model(request: pytest.FixtureRequest, library: Any) -> Any:
    return request.param(library)


def test_inputs_are_called_as_in_the_file(library: Any, model: Any, tmp_path: Path) -> None:
    model.save(tmp_path / "model.keras")
    loaded = library.models.load_model(tmp_path / "model.keras")
    assert list(flavors.input_specs(model)) == list(flavors.input_specs(loaded))
    in_memory, from_file = (signatures_of(convert(one).tflite)[0] for one in (model, loaded))
    assert in_memory.inputs == from_file.inputs


@pytest.mark.parametrize(
    ("technique", "config"),
    [
        (factorize, Factorize(rank=2, protect=("scores",))),
        (prune, Prune(sparsity=0.5, only=("hidden",))),
        (cluster, Cluster(clusters=4)),
        (binarize, Binarize(weights="ternary", inputs="float", protect=("scores",))),
    ],
)
def test_what_is_made_of_it_still_takes_the_data(
    model: Any, technique: Callable[..., Any], config: Any
) -> None:
    made, record = technique(model, config, DATA, FineTune(epochs=1))
    assert record.after is not None
    assert list(flavors.input_specs(made)) == list(flavors.input_specs(model))


def test_narrower_models_too(model: Any) -> None:
    made, _ = narrow(model, Narrow(ratio=0.5))
    assert list(flavors.input_specs(made)) == list(flavors.input_specs(model))


@pytest.mark.usefixtures("fixed_times")
@in_turn("make", {"sequential": [sequential], "functional": [functional]})
def test_so_does_one_of_a_recipe(library: Any, make: Callable[[Any], Any]) -> None:
    narrowed = {"narrow": Narrow(ratio=0.5), "finetune": FineTune(epochs=1)}
    result = squeeze(make(library), Recipe(name="r", steps=[narrowed], on_refusal="skip"), DATA)
    assert result.report.steps[0].status == "done"
