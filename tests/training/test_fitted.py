"""Data is refused before any work where its labels are no classes of the model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.command_runs import Files, Run, files, run  # noqa: F401  # fixtures
from tests.tiny_models import dense
from tflite_squeeze.errors import InputError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.recipes.form import form_of
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.recipes.run_recipe import run_recipe
from tflite_squeeze.techniques.distillation.distill import distill
from tflite_squeeze.training.config import Distill
from tflite_squeeze.training.fitted import fitted

X, RIGHT = np.ones((6, 8), np.float32), np.arange(6) % 3
WRONG = np.array([0, 1, 2, 0, 1, 12])


def test_labels_of_the_model(library: Any) -> None:
    data = fitted(dense(library), (X, RIGHT))
    assert data.labelled
    assert list(data.spec) == ["x"]
    assert not fitted(dense(library), X).labelled
    assert fitted(dense(library), (X, np.eye(3)[RIGHT])).labelled


@pytest.mark.parametrize("where", ["train", "test"])
def test_labels_of_another_model(library: Any, where: str) -> None:
    labels = {"train": RIGHT, "test": RIGHT} | {where: WRONG}
    arrays = {f"{kind}_{part}": value for part, known in labels.items()
              for kind, value in (("x", X), ("y", known))}  # fmt: skip
    with pytest.raises(InputError, match="from 0 to 12, but the model has 3 classes: pass"):
        fitted(dense(library), arrays)


def test_labels_of_a_stream(library: Any) -> None:
    stream = tf.data.Dataset.from_tensor_slices((X, WRONG)).filter(lambda *_: True)
    with pytest.raises(InputError, match="from 0 to 12"):
        fitted(dense(library), stream)

    def endless() -> Iterator[Any]:
        while True:
            yield X[0], 2

    spec = (tf.TensorSpec((8,)), tf.TensorSpec((), tf.int64))
    assert fitted(dense(library), tf.data.Dataset.from_generator(endless, output_signature=spec))


def test_labels_of_one_probability(library: Any) -> None:
    layers = [library.Input((8,), name="x"), library.layers.Dense(1, activation="sigmoid")]
    model = library.Sequential(layers)
    assert fitted(model, (X, RIGHT % 2))
    assert fitted(model, (X, RIGHT / 3))
    with pytest.raises(InputError, match="but the model has 2 classes"):
        fitted(model, (X, RIGHT))


def test_targets_of_a_regression_are_any_numbers(library: Any) -> None:
    model = dense(library)
    model.compile(loss="mse")
    assert fitted(model, (X, np.full((6, 3), 12.0))).labelled


def test_labels_of_another_file(files: Files) -> None:  # noqa: F811
    form = form_of(load_model(files.tflite))
    assert form.fitted((X, RIGHT)).labelled
    assert form.fitted((X, np.full((6, 3), 12.0))).labelled
    with pytest.raises(InputError, match="from 0 to 12, but the model has 3 classes"):
        form.fitted((X, WRONG))


def test_verbs_refuse_before_any_work(library: Any, tmp_path: Path) -> None:
    model, data = dense(library), (X, WRONG)
    with pytest.raises(InputError, match="from 0 to 12"):
        run_recipe(model, Recipe(), data, tmp_path / "out")
    with pytest.raises(InputError, match="from 0 to 12"):
        distill(model, Distill(), data, model)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["tune", "squeeze"])
def test_searches_refuse_before_any_work(
    run: Run, files: Files, tmp_path: Path, verb: str  # noqa: F811
) -> None:  # fmt: skip
    np.savez(tmp_path / "wrong.npz", x=X, y=WRONG)
    given = files.model, "--data", tmp_path / "wrong.npz", "-o", tmp_path / "best"
    said = run("--quiet", verb, *given).refused()
    assert "labels run from 0 to 12, but the model has 3 classes" in said
    assert not (tmp_path / "best").exists()
