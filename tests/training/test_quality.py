"""Accuracy and loss on numbers that can be counted by hand."""

from typing import Any

import numpy as np
import pytest

from tflite_squeeze.errors import InputError
from tflite_squeeze.training.quality import class_ids, metric_name, quality


def _echo(library: Any, *, activation: str, units: int = 3) -> Any:
    """A model whose scores are its inputs."""
    layer = library.layers.Dense(units, activation=activation, use_bias=False)
    model = library.Sequential([library.Input((units,), name="x"), layer])
    layer.set_weights([np.eye(units, dtype=np.float32)])
    return model


INPUTS = {"x": np.array([[9, 0, 0], [0, 9, 0], [0, 0, 9], [9, 0, 0]], np.float32)}


@pytest.mark.parametrize(
    "labels", [[0, 1, 2, 1], [[0], [1], [2], [1]], np.eye(3)[[0, 1, 2, 1]]],
    ids=["ids", "columns", "one-hot"],
)  # fmt: skip
def test_accuracy(library: Any, labels: Any) -> None:
    model = _echo(library, activation="softmax")
    assert metric_name(model) == "accuracy"
    assert quality(model, INPUTS, np.asarray(labels)) == 0.75
    assert quality(model, INPUTS, np.asarray(labels)[::-1]) == 0.25


def test_one_probability(library: Any) -> None:
    model = _echo(library, activation="sigmoid", units=1)
    inputs = {"x": np.array([[-2], [2], [3], [-1]], np.float32)}
    assert quality(model, inputs, np.array([0, 1, 0, 0])) == 0.75


def test_loss(library: Any) -> None:
    model = _echo(library, activation="linear")
    model.compile(loss="mse")
    assert metric_name(model) == "loss"
    assert quality(model, INPUTS, INPUTS["x"] - 2) == 4.0


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0, 3], "labels run from 0 to 3, but the model has 3 classes"),
        ([-1, 2], "labels run from -1 to 2"),
        (np.zeros((2, 4)), r"labels have shape \(2, 4\), but the model has 3 classes"),
    ],
)
def test_labels_of_other_classes(labels: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        class_ids(labels, 3)
