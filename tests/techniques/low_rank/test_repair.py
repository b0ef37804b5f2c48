"""Layers solved for what the original computed, without labels or training."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorize import factorize
from tflite_squeeze.techniques.low_rank.repair import Shown, repaired


def residual(library: Any) -> Any:
    """Two blocks of convolution, normalisation and addition, the second beside a shortcut."""
    library.utils.set_random_seed(3)
    layers = library.layers
    image = library.Input((6, 6, 3), name="image")
    x = layers.Conv2D(12, 3, padding="same", activation="relu", name="stem")(image)
    for name in ("first", "second"):
        y = layers.Conv2D(12, 3, padding="same", use_bias=False, name=f"{name}_a")(x)
        y = layers.BatchNormalization(name=f"{name}_bn")(y)
        y = layers.ReLU(name=f"{name}_relu")(y)
        y = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_b")(y)
        y = layers.Conv2D(12, 1, name=f"{name}_c")(y)
        x = layers.Add(name=f"{name}_add")([x, y])
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = library.Model(image, layers.Dense(4, name="y")(x))
    random = np.random.default_rng(0)
    for layer in model.layers:
        if layer.name.endswith("bn"):
            gamma, variance = random.uniform(0.5, 2, (2, 12))
            layer.set_weights([gamma, *random.normal(size=(2, 12)), variance])
    return model


def _apart(one: Any, other: Any, x: np.ndarray) -> float:
    wanted, found = np.asarray(one(x)), np.asarray(other(x))
    return float(np.mean(np.square(wanted - found)) / np.var(wanted))


@pytest.mark.parametrize("emit", ["plain", "factorized"])
def test_answers_come_nearer_to_the_original(library: Any, emit: str) -> None:
    model, x = residual(library), tiny_models.examples(240, 6, 6, 3)
    options = {"rank": 4, "scheme": "spatial", "only": ("*_a", "*_c", "stem"), "emit": emit}
    split, record = factorize(model, Factorize(repair=False, **options), {"x": x}, one_shot=True)
    assert record.repair is None
    solved, record = factorize(model, Factorize(**options), {"x": x}, one_shot=True)
    assert record.repair is not None
    assert record.repair.kept
    assert (record.repair.samples, record.repair.held_back) == (180, 60)
    # All that is split, and the depthwise and last layers, whose inputs have changed.
    assert record.repair.layers == 8
    others = tiny_models.examples(200, 6, 6, 3, seed=9)
    assert _apart(model, solved, others) < 0.5 * _apart(model, split, others)


def test_what_makes_it_worse_is_taken_back(library: Any) -> None:
    model = residual(library)
    made, _ = factorize(model, Factorize(rank=4, only=("*_a",)))
    weights = made.get_weights()
    x = tiny_models.examples(40, 6, 6, 3)
    # Solved on samples that have nothing to do with those that judge.
    done = repaired(
        model, made, Shown({"image": 50 + 0 * x[:8]}, {"image": x[8:]}), lambda *_: None
    )
    assert not done.kept
    for before, after in zip(weights, made.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_an_equal_copy_has_nothing_to_solve(library: Any) -> None:
    model, x = tiny_models.dense(library), tiny_models.examples(40, 8)
    done = repaired(model, model, Shown({"x": x}, {"x": x}), lambda *_: None)
    assert (done.layers, done.kept, done.after) == (0, False, 0.0)
