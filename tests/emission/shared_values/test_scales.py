"""Shared values stay shared in integer files: scales by hand, bytes counted, answers compared."""

from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.converter import emit
from tflite_squeeze.emission.shared_values.kernels import shared_kernels
from tflite_squeeze.emission.shared_values.record import stored_values
from tflite_squeeze.emission.shared_values.scales import with_shared_scales
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.sharing.cluster import cluster
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.tflite.fields import scales_of, text
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.tensor_values import dequantized, tensor_values

pytestmark = pytest.mark.slow

IMAGES = tiny_models.examples(32, 10, 10, 3)


def folded(library: Any, *, negative: bool = False) -> Any:
    """Convolution and depthwise convolution with normalisations to be folded, and a Dense."""
    layers = library.layers
    library.utils.set_random_seed(3)
    model = library.Sequential(
        [
            library.Input((10, 10, 3), name="image"),
            layers.Conv2D(16, 3, use_bias=False, name="conv"),
            layers.BatchNormalization(name="norm_1"),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, use_bias=False, name="depthwise"),
            layers.BatchNormalization(name="norm_2"),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(5, name="y"),
        ],
        name="folded",
    )
    rng = np.random.default_rng(0)
    for name in ("conv", "depthwise"):  # long tails: not every channel has the largest value
        kernel = model.get_layer(name).weights[0]
        kernel.assign(rng.normal(size=kernel.shape) * 0.2)
    for name in ("norm_1", "norm_2"):
        norm = model.get_layer(name)
        gamma = rng.uniform(0.3, 3.0, 16)
        gamma[0] = -gamma[0] if negative else gamma[0]
        norm.gamma.assign(gamma)
        norm.beta.assign(rng.normal(size=16))
        norm.moving_mean.assign(rng.normal(size=16) * 0.1)
        norm.moving_variance.assign(rng.uniform(0.5, 2.0, 16))
    return model


def emitted(model: Any, x: np.ndarray, quantize: str) -> bytes:
    source = load_model(model)
    batches = {"serving_default": lambda: ({"image": x[i : i + 1]} for i in range(len(x)))}
    calibration = batches if quantize in ("int8", "int16x8") else None
    return emit(source, Convert(quantize=quantize), calibration).tflite


def output(tflite: bytes, x: np.ndarray) -> np.ndarray:
    """What the stock interpreter answers, with XNNPACK as it is by default."""
    interpreter = Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    (inputs,), (outputs,) = interpreter.get_input_details(), interpreter.get_output_details()
    answers = []
    for example in x:
        interpreter.set_tensor(inputs["index"], example[np.newaxis])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(outputs["index"])[0])
    return np.array(answers)


@pytest.mark.parametrize("quantize", ["int8", "int16x8"])
def test_folded_normalisations_keep_one_integer_a_value(library: Any, quantize: str) -> None:
    model, _ = cluster(folded(library), Cluster(clusters=8))
    tflite = emitted(model, IMAGES, quantize)
    kernels = shared_kernels(load_model(model))
    assert {kernel.name: kernel.values for kernel in kernels} == {
        "conv/kernel": 8, "depthwise/kernel": 8, "y/kernel": 8,
    }  # fmt: skip
    shared, tensors = with_shared_scales(tflite, kernels)
    before, after = stored_values(tflite), stored_values(shared)
    for kernel in kernels:
        assert after[tensors[kernel.name]][0] <= 8
    for name in ("conv/kernel", "depthwise/kernel"):
        assert before[tensors[name]][0] > 8  # the control: the converter's own scales
    assert after[tensors["conv/kernel"]][1] == 16
    assert after[tensors["y/kernel"]][1] == 1
    # It still answers as the model does, about as well as the file with the converter's scales.
    expected = model.predict(IMAGES, verbose=0)
    spread = np.std(expected)
    errors = [np.sqrt(np.mean((output(t, IMAGES) - expected) ** 2)) for t in (tflite, shared)]
    assert errors[1] < 0.05 * spread
    assert errors[1] < 3 * errors[0] + 0.01 * spread


def test_the_scales_are_those_that_were_folded_in(library: Any) -> None:
    model, _ = cluster(folded(library), Cluster(clusters=8))
    shared, tensors = with_shared_scales(
        emitted(model, IMAGES, "int8"), shared_kernels(load_model(model))
    )
    norm = model.get_layer("norm_1")
    gain = np.asarray(norm.gamma) / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    graph = read_model(shared).subgraphs[0]
    (tensor,) = [one for one in graph.tensors if text(one.name) == tensors["conv/kernel"]]
    kernel = np.asarray(model.get_layer("conv").kernel)
    np.testing.assert_allclose(scales_of(tensor), gain * np.abs(kernel).max() / 127, rtol=0.01)


def test_a_negative_gain_costs_values_and_is_counted() -> None:
    """A channel that is turned round has the values' negatives: more integers, and no lie."""
    model, _ = cluster(folded(LIBRARIES["keras"], negative=True), Cluster(clusters=8))
    shared, tensors = with_shared_scales(
        emitted(model, IMAGES, "int8"), shared_kernels(load_model(model))
    )
    assert stored_values(shared)[tensors["conv/kernel"]][0] > 8
    expected = model.predict(IMAGES, verbose=0)
    assert np.std(output(shared, IMAGES) - expected) < 0.05 * np.std(expected)


def test_without_normalisation_weights_stand_for_the_models_own(library: Any) -> None:
    model, _ = cluster(tiny_models.convolutional(library), Cluster(clusters=4))
    x = tiny_models.examples(32, 8, 8, 1)
    shared, tensors = with_shared_scales(
        emitted(model, x, "int8"), shared_kernels(load_model(model))
    )
    read = read_model(shared)
    for target in select(model).targets:
        names = [text(tensor.name) for tensor in read.subgraphs[0].tensors]
        at = names.index(tensors[target.name])
        values = dequantized(tensor_values(read, 0, at), read.subgraphs[0].tensors[at].quantization)
        kernel = np.asarray(target.variable)
        np.testing.assert_allclose(
            values.reshape(len(values), -1), target.matrix(kernel),
            atol=np.abs(kernel).max() / 254 * 1.001,
        )  # fmt: skip
    expected = model.predict(x, verbose=0)
    assert np.abs(output(shared, x) - expected).max() < 0.05


def test_a_layer_that_is_used_twice(library: Any) -> None:
    layers = library.layers
    library.utils.set_random_seed(5)
    inputs = library.Input((16,), name="image")
    twice = layers.Dense(16, activation="relu", name="twice")
    model = library.Model(inputs, layers.Dense(4, name="y")(twice(twice(inputs))), name="twofold")
    twice.bias.assign(np.linspace(-0.5, 0.5, 16))
    model, _ = cluster(model, Cluster(clusters=4))
    x = tiny_models.examples(32, 16)
    shared, tensors = with_shared_scales(
        emitted(model, x, "int8"), shared_kernels(load_model(model))
    )
    assert stored_values(shared)[tensors["twice/kernel"]] == (4, 1)
    expected = model.predict(x, verbose=0)
    assert np.std(output(shared, x) - expected) < 0.05 * np.std(expected)


def test_files_without_shared_values_stay_as_they_are() -> None:
    model = tiny_models.convolutional(LIBRARIES["keras"])
    assert shared_kernels(load_model(model)) == []
    tflite = emitted(model, tiny_models.examples(16, 8, 8, 1), "int8")
    assert with_shared_scales(tflite, []) == (tflite, {})
    # A float file has no int8 weights, and other weights are not taken for a kernel's.
    shared, _ = cluster(model, Cluster(clusters=4))
    kernels = shared_kernels(load_model(shared))
    plain = emitted(shared, IMAGES, "none")
    assert with_shared_scales(plain, kernels) == (plain, {})
    assert with_shared_scales(tflite, kernels) == (tflite, {})
