"""Cross-layer equalization: factors by hand, the same function, alike channels, refusals."""

from typing import Any

import numpy as np
import pytest

from tests.emission.calibration.networks import images, unequal
from tflite_squeeze.emission.calibration.equalization import channel_factors, equalized, pairs_of
from tflite_squeeze.network.graph import graph_of
from tflite_squeeze.network.running import answers_of


def test_factors_by_hand() -> None:
    found = channel_factors(np.array([8.0, 1.0, 0.0, 3.0]), np.array([2.0, 4.0, 1.0, 0.0]))
    np.testing.assert_allclose(found, [2, 0.5, 1, 1])


def test_pairs(library: Any) -> None:
    found = pairs_of(unequal(library))
    assert [(one.first.name, one.second.name, one.channels) for one in found.found] == [
        ("conv", "depthwise", 6), ("depthwise", "point", 12), ("point", "scores", 4)
    ]  # fmt: skip
    assert found.refused == ()


def test_the_function_stays_and_kernels_become_alike(library: Any) -> None:
    model = unequal(library)
    made = equalized(model)
    before, after = answers_of(model, images())[0], answers_of(made, images())[0]
    np.testing.assert_allclose(after, before, atol=1e-5 * np.abs(before).max())
    for pair in pairs_of(made).found:
        first = np.abs(pair.first.source.get_weights()[0])
        first = first.reshape(-1, pair.channels).max(axis=0)
        kernel = np.abs(pair.second.source.get_weights()[0])
        second = kernel.max(axis=(0, 1, 3)) if kernel.ndim == 4 else (
            kernel.reshape(-1, 4, 3).max(axis=(0, 2))
        )  # fmt: skip
        np.testing.assert_allclose(first, second, rtol=0.01)
    assert not np.allclose(model.get_layer("conv").get_weights()[0],
                           made.get_layer("conv").get_weights()[0])  # fmt: skip


def test_activations_become_alike_in_front_of_a_depthwise_kernel(library: Any) -> None:
    model = unequal(library)
    greatest = {
        pair.first.name: np.random.default_rng(1).uniform(1, 30, pair.channels)
        for pair in pairs_of(model).found
    }
    made = equalized(model, greatest)
    before, after = answers_of(model, images())[0], answers_of(made, images())[0]
    np.testing.assert_allclose(after, before, atol=1e-5 * np.abs(before).max())
    ratio = model.get_layer("conv").get_weights()[1] / made.get_layer("conv").get_weights()[1]
    np.testing.assert_allclose(ratio, greatest["conv"] / np.median(greatest["conv"]), rtol=1e-5)


@pytest.mark.parametrize("activation", ["relu6", "swish", "sigmoid"])
def test_what_does_not_scale_is_refused_by_name(library: Any, activation: str) -> None:
    found = pairs_of(unequal(library, activation=activation))
    assert [one.first.name for one in found.found] == ["depthwise", "point"]
    (reason,) = found.refused
    assert reason.startswith("conv: ")
    assert reason.endswith("does not scale with its input")


def test_limits_branches_and_shared_layers_are_left_alone(library: Any) -> None:
    layers = library.layers
    x = image = library.Input((8, 8, 2), name="image")
    x = layers.Conv2D(4, 1, name="limited")(x)
    x = branch = layers.ReLU(6.0, name="six")(x)
    x = layers.Conv2D(4, 1, name="before_sum", activation="relu")(x)
    x = layers.Add(name="sum")([x, branch])
    twice = layers.Conv2D(4, 1, name="twice", activation="relu")
    x = layers.Conv2D(2, 1, name="last")(twice(twice(x)))
    model = library.Model(image, x, name="branching")
    found = pairs_of(model)
    assert found.found == ()
    assert all(name in graph_of(model).nodes for name in ("limited", "before_sum", "twice"))
