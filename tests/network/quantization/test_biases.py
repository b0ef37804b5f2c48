"""Biases of twins stand on the grid of their file."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.network.quantization.biases import round_biases
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import ActivationQuantization
from tflite_squeeze.network.quantization.twin import plan_for, quantized_layers, scales_of, twin_of

IMAGE, CONV = (-1.0, 1.0), (0.0, 2.55)


@pytest.fixture(params=LIBRARIES)
def twin(request: pytest.FixtureRequest) -> Any:
    """A convolution, a Flatten and a Dense, with known ranges and biases of 0.1234."""
    model = folded(tiny_models.convolutional(LIBRARIES[request.param]))
    plan = plan_for(model)
    ranges = {"image": IMAGE, "conv": CONV, "scores_linear": (-4.0, 4.0)}
    given = {
        name: ActivationQuantization(low=low, high=high) for name, (low, high) in ranges.items()
    }
    made = twin_of(model, plan.model_copy(update={"activations": {**plan.activations, **given}}))
    for layer in quantized_layers(made).values():
        layer.bias.assign(np.full(layer.bias.shape, 0.1234, np.float32))
    return made


def test_a_bias_is_a_multiple_of_both_steps(twin: Any) -> None:
    assert round_biases(twin) == ()
    layers = quantized_layers(twin)
    # A Flatten passes the convolution's range on.
    for name, (low, high) in {"conv": IMAGE, "scores_linear": CONV}.items():
        grid = np.asarray(scales_of(layers[name])) * (high - low) / 255
        bias = np.asarray(layers[name].bias)
        np.testing.assert_allclose(bias, np.rint(0.1234 / grid) * grid, rtol=1e-6)
        assert not np.array_equal(bias, np.full(bias.shape, 0.1234, np.float32))


def test_rounding_again_changes_nothing(twin: Any) -> None:
    round_biases(twin)
    before = [np.asarray(layer.bias) for layer in quantized_layers(twin).values()]
    round_biases(twin)
    for one, layer in zip(before, quantized_layers(twin).values(), strict=True):
        np.testing.assert_allclose(np.asarray(layer.bias), one, rtol=1e-6)


def test_a_bias_behind_floats_is_left_and_named() -> None:
    model = folded(tiny_models.convolutional(LIBRARIES["keras"]))
    plan = plan_for(model)
    made = twin_of(model, plan.model_copy(update={"activations": {}}))
    assert set(round_biases(made)) == {layer.name for layer in quantized_layers(made).values()}
