"""The recipes that ship, from end to end on a network and settings as small as can be."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.tiny_models import examples
from tflite_squeeze.recipes import outcome, run
from tflite_squeeze.recipes import step as run_step
from tflite_squeeze.recipes.files import load_recipe, recipe_names
from tflite_squeeze.recipes.recipe import Recipe, Step
from tflite_squeeze.recipes.report import Report
from tflite_squeeze.recipes.squeeze import squeeze
from tflite_squeeze.tflite.flatbuffer import operator_names

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network() -> Any:
    """A convolutional classifier with a trunk, wide enough to be narrowed."""
    layers = keras.layers
    keras.utils.set_random_seed(2)
    x = keras.Input((8, 8, 1), name="image")
    stem = layers.Conv2D(16, 3, padding="same", activation="relu", name="stem")(x)
    y = layers.Conv2D(32, 3, padding="same", activation="relu", name="inner")(stem)
    y = layers.Add(name="add")([stem, layers.Conv2D(16, 3, padding="same", name="back")(y)])
    y = layers.Dense(64, activation="relu", name="hidden")(layers.Flatten(name="flat")(y))
    return keras.Model(x, layers.Dense(3, activation="softmax", name="scores")(y), name="network")


@pytest.fixture(scope="module")
def data(network: Any) -> dict[str, np.ndarray]:
    """Samples whose labels the network itself finds."""
    x = examples(64, 8, 8, 1)
    y = np.argmax(network.predict(x, verbose=0), axis=1)
    return {"x_train": x, "y_train": y, "x_test": x, "y_test": y}


def _small(recipe: Recipe) -> Recipe:
    """The same recipe in seconds: one epoch a step, no XLA, limits that anything meets."""

    def small(step: Step) -> Step:
        training = step.finetune
        assert training
        quick = {"epochs": 1, "batch": 32, "jit": False, "learning_rate": 1e-3}
        return step.model_copy(update={"finetune": training.model_copy(update=quick)})

    limits = {name: {"max_drop": 0.99, "min_agreement": 0.01}[name]
              for name in recipe.limits.model_dump(exclude_none=True)}  # fmt: skip
    return recipe.model_copy(
        update={
            "steps": tuple(small(step) for step in recipe.steps),
            "limits": recipe.limits.model_copy(update=limits),
        }
    )


def _run(name: str, network: Any, data: Any, folder: Path) -> Report:
    result = squeeze(network, _small(load_recipe(name)), data, folder)
    assert result.report.failures == ()
    assert [step.status for step in result.report.steps] == ["done"] * len(result.report.steps)
    return result.report


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is timed as its bytes are many."""
    timed = lambda files: {name: np.full(3, len(content)) for name, content in files.items()}  # noqa: E731
    monkeypatch.setattr(outcome, "turn_by_turn", timed)
    monkeypatch.setattr(run_step, "turn_by_turn", timed)
    monkeypatch.setattr(
        run, "in_turns", lambda files: {name: float(len(files[name])) for name in files}
    )


def test_all_of_them_are_tried_here() -> None:
    assert set(recipe_names()) == {"small-download", "fast-cpu", "microcontroller", "label-free"}


def test_small_download(network: Any, data: Any, tmp_path: Path) -> None:
    report = _run("small-download", network, data, tmp_path)
    assert report.outcome is not None
    kinds = {check.kind for check in report.outcome.claims}
    assert kinds == {"zeros", "distinct values", "dtype"}
    assert report.outcome.file.distinct <= 17
    assert report.outcome.file.download_bytes < report.baseline.plain.download_bytes / 20


def test_fast_cpu(network: Any, data: Any, tmp_path: Path) -> None:
    report = _run("fast-cpu", network, data, tmp_path)
    assert report.outcome is not None
    assert report.baseline.quantize == report.outcome.conversion.config.quantize == "int8"
    assert list(report.baseline.choices_us) == ["int8", "none"]
    assert report.outcome.file.macs < report.baseline.plain.macs * 0.6
    shapes = {check.weight: check.claimed for check in report.outcome.claims
              if check.kind == "shape"}  # fmt: skip
    assert shapes == {"inner/kernel": "16 of 32 outputs", "hidden/kernel": "32 of 64 outputs"}


def test_microcontroller(network: Any, data: Any, tmp_path: Path) -> None:
    report = _run("microcontroller", network, data, tmp_path)
    names = operator_names((tmp_path / "network.tflite").read_bytes())[0]
    assert not {"DENSIFY", "QUANTIZE", "DEQUANTIZE"} & set(names)
    assert report.outcome is not None
    assert report.outcome.file.raw_bytes < report.baseline.start.raw_bytes / 2


def test_label_free(network: Any, data: Any, tmp_path: Path) -> None:
    images = {"x_train": data["x_train"], "x_test": data["x_test"]}
    report = _run("label-free", network, images, tmp_path)
    assert report.baseline.quality is None
    assert report.outcome is not None
    assert report.outcome.limits[0].limit == "min_agreement"
    zeros = [check for check in report.outcome.claims if check.kind == "zeros"]
    assert len(zeros) == 5
