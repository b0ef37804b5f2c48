"""Every verb takes a Keras model, a path to one, or a loaded model, and changes none of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import examples
from tests.trained_models import in_turn
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.errors import UsageError
from tflite_squeeze.inspection.inspect import inspect
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.rebuilding.layers import model_of
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.squeezing.squeeze import squeeze
from tflite_squeeze.techniques.binarization.binarize import binarize
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.techniques.distillation.distill import distill
from tflite_squeeze.techniques.l0.config import L0
from tflite_squeeze.techniques.l0.l0 import l0_prune
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorize import factorize
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.narrow import narrow
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prunable import Prunable, strip
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.pruning.sensitivity.sensitivity import sensitivity
from tflite_squeeze.techniques.sharing.cluster import cluster
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.training.config import Distill, FineTune
from tflite_squeeze.verification.verify import verify

X = examples(32, 8)
DATA = (X, np.arange(32) % 3)
SHORT = FineTune(epochs=1)
FLOAT = Binarize(weights="ternary", inputs="float", protect=())

# What changes a model, at once.
CHANGES: dict[str, Callable[..., Any]] = {
    "prune": lambda model, **how: prune(model, Prune(sparsity=0.5), **how),
    "cluster": lambda model, **how: cluster(model, Cluster(clusters=4), **how),
    "factorize": lambda model: factorize(model, Factorize(rank=2)),
    "narrow": lambda model: narrow(model, Narrow(ratio=0.5)),
    "binarize": lambda model, **how: binarize(model, FLOAT, **how),
}
# What trains.
TRAININGS: dict[str, Callable[..., Any]] = {
    "l0_prune": lambda model, **how: l0_prune(model, L0(), DATA, SHORT, **how),
    "distill": lambda model, **how: distill(model, Distill(), X, model, SHORT, **how),
}


@pytest.fixture
def model(library: Any) -> Any:
    return tiny_models.dense(library)


@pytest.fixture
def path(model: Any, tmp_path: Path) -> Path:
    model.save(tmp_path / "dense.keras")
    return tmp_path / "dense.keras"


@pytest.mark.parametrize("verb", CHANGES.values(), ids=CHANGES)
def test_techniques(verb: Callable[..., Any], model: Any, path: Path) -> None:
    _gives_the_same(verb, model, path)


@pytest.mark.slow
@in_turn("verb", {name: [verb] for name, verb in TRAININGS.items()})
def test_techniques_that_train(verb: Callable[..., Any], model: Any, path: Path) -> None:
    _gives_the_same(verb, model, path)


def _gives_the_same(verb: Callable[..., Any], model: Any, path: Path) -> None:
    loaded = load_model(path)
    content, weights = path.read_bytes(), model.get_weights()
    expected = verb(model).model.get_weights()
    assert any((old.shape, old.tobytes()) != (new.shape, new.tobytes())
               for old, new in zip(weights, expected, strict=False))  # fmt: skip
    for source in (path, str(path), loaded):
        for one, other in zip(verb(source).model.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert path.read_bytes() == content
    for given in (model, loaded.model):
        for before, after in zip(weights, given.get_weights(), strict=True):
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", ["prune", "cluster", "binarize", "l0_prune", "distill"])
def test_a_file_cannot_be_changed_in_place(name: str, path: Path) -> None:
    verb = (CHANGES | TRAININGS)[name]
    for source in (path, load_model(path)):
        with pytest.raises(UsageError, match="in_place changes a Keras model in memory"):
            verb(source, in_place=True)


@pytest.mark.slow
@pytest.mark.usefixtures("fixed_times")
@pytest.mark.parametrize("library", ["tf_keras"], indirect=True)
def test_what_measures_and_converts(model: Any, path: Path, tmp_path: Path) -> None:
    recipe = Recipe(name="half", steps=[{"prune": {"sparsity": 0.5}}])  # type: ignore[list-item]
    sources = (model, path, load_model(path))
    files = [convert(source).tflite for source in sources]
    assert len({len(file) for file in files}) == 1
    assert all(verify(source, files[0]).passed for source in sources)
    assert {inspect(source).parameters for source in sources} == {model.count_params()}
    curves = [
        sensitivity(source, DATA, tmp_path / str(at), samples=8).points
        for at, source in enumerate(sources[:2])
    ]
    assert curves[0] == curves[1]
    results = [squeeze(source, recipe).tflite for source in sources[:2]]
    assert len({len(file) for file in results}) == 1  # type: ignore[arg-type]


def test_wrappers_in_a_file_are_for_pruning_alone(library: Any, tmp_path: Path) -> None:
    layers = library.layers
    wrapped = Prunable(layers.Dense(4, name="own"), Prune(sparsity=0.75))
    model = library.Sequential([library.Input((8,)), wrapped, layers.Dense(3, name="scores")])
    model.save(tmp_path / "net.keras")
    _, record = prune(tmp_path / "net.keras", Prune(sparsity=0.5))
    assert [weight.zeros_after for weight in record.weights] == [6, 24]
    _, record = cluster(tmp_path / "net.keras", Cluster(clusters=4))
    assert record.notes == ("Prunable wrappers were taken off the layers",)
    assert strip(tmp_path / "net.keras").layers[0].name == "own"


def test_what_has_no_layers_is_refused(model: Any) -> None:
    module = tiny_models.TwoSignatures()
    assert model_of(model) == (model, ())
    with pytest.raises(UsageError, match=r"function comes without its layers \(functions\)"):
        model_of(module.functions())
    with pytest.raises(UsageError, match="model is the layer 'hidden'"):
        model_of(model.layers[0])
