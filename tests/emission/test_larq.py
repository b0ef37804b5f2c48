"""Models with Larq's layers as files for Larq Compute Engine: what is packed, and how exactly."""

from typing import Any

import numpy as np
import pytest
import tf_keras

from tests import tiny_models
from tflite_squeeze.emission.chatter import Chatter
from tflite_squeeze.emission.larq import larq_file, rewritten_for_larq
from tflite_squeeze.emission.low_bit.weight_only import with_stored_weights
from tflite_squeeze.network.larq_library import larq
from tflite_squeeze.profiling.profile import profile
from tflite_squeeze.profiling.record import Profile
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.techniques.binarization.binarize import binarize
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.tflite.flatbuffer import operator_names, read_model
from tflite_squeeze.tflite.tidy import tidied
from tflite_squeeze.tflite.weights import weights_of

pytestmark = pytest.mark.slow

layers = tf_keras.layers


def network(*, scale: bool = False) -> Any:
    """Convolutions with pooling, Dense layers: all binary but the first one's inputs."""
    tf_keras.utils.set_random_seed(4)
    return tf_keras.Sequential(
        [
            tf_keras.Input((12, 12, 1), name="image"),
            layers.Conv2D(8, 3, name="begin"),
            layers.MaxPooling2D(2, name="pool"),
            layers.BatchNormalization(scale=scale, name="norm"),
            layers.Conv2D(16, 3, use_bias=False, name="conv"),
            layers.BatchNormalization(scale=scale),
            layers.Flatten(),
            layers.Dense(40, use_bias=False, name="hidden"),
            layers.BatchNormalization(scale=scale),
            layers.Dense(4, activation="softmax", name="scores"),
        ],
        name="network",
    )


@pytest.fixture(scope="module")
def binary() -> Any:
    model = binarize(network(), Binarize()).model
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            beta, mean, variance = layer.get_weights()
            noise = tiny_models.examples(3, len(beta))
            layer.set_weights([noise[0], mean + noise[1], variance * np.exp(noise[2])])
    return model


def test_rewriting_changes_no_answer(binary: Any) -> None:
    rewritten, notes = rewritten_for_larq(binary, larq())
    assert type(rewritten.get_layer("hidden")).__name__ == "QuantConv2D"
    names = [layer.name for layer in rewritten.layers]
    assert names.index("norm") < names.index("pool")
    assert any("1x1 convolutions" in note for note in notes)
    x = tiny_models.examples(16, 12, 12, 1)
    np.testing.assert_allclose(
        rewritten.predict(x, verbose=0), binary.predict(x, verbose=0), atol=1e-5
    )


def test_a_norm_with_a_negative_factor_stays_behind_the_maximum() -> None:
    model = binarize(network(scale=True), Binarize()).model
    gamma, *rest = model.get_layer("norm").get_weights()
    model.get_layer("norm").set_weights([np.where(np.arange(len(gamma)) == 3, -1, gamma), *rest])
    rewritten, _ = rewritten_for_larq(model, larq())
    names = [layer.name for layer in rewritten.layers]
    assert names.index("norm") > names.index("pool")
    x = tiny_models.examples(16, 12, 12, 1)
    np.testing.assert_allclose(
        rewritten.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5
    )


def test_the_file_holds_bits_and_answers_alike(binary: Any) -> None:
    tflite, _ = larq_file(binary, Chatter())
    names = operator_names(tflite)[0]
    assert names.count("LceBconv2d") == 2
    assert "LceBMaxPool2d" in names
    bits = [one for one in weights_of(read_model(tflite)) if one.dtype == "bit"]
    # 8 inputs are filled up to 32, and 144 of the Dense layer to 160.
    assert sorted(one.stored_bytes for one in bits) == [16 * 9 * 32 // 8, 40 * 160 // 8]
    x = tiny_models.examples(32, 12, 12, 1)
    expected = binary.predict(x, verbose=0)
    (found,) = run_file(tidied(tflite), {"image": x}).outputs.values()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_kernels_with_float_inputs_are_stored_in_bytes_exactly(binary: Any) -> None:
    model = binarize(network(), Binarize(protect=("last",), layers={}, only=("begin", "hidden")))
    tflite = tidied(larq_file(model.model, Chatter())[0])
    stored, notes = with_stored_weights(tflite)
    rounded, more = with_stored_weights(tflite, rounded=True)
    assert notes == ()  # its inputs are binary too
    assert len(rounded) <= len(stored)
    assert all("rounded" in note for note in more)


def test_plus_minus_s_behind_dequantize() -> None:
    config = Binarize(protect=("last",), layers={"begin": {"input": "none"}})
    model = binarize(network(), config).model
    tflite = tidied(larq_file(model, Chatter())[0])
    stored, notes = with_stored_weights(tflite)
    assert notes == ("1 kernels of two or three values are stored in 8 bits, exactly",)
    assert operator_names(stored)[0][0] == "DEQUANTIZE"
    x = tiny_models.examples(32, 12, 12, 1)
    before, after = (run_file(one, {"image": x}).outputs for one in (tflite, stored))
    for name, values in before.items():
        np.testing.assert_array_equal(values, after[name])
    times = profile(stored, Profile(runs=2, min_seconds=0, warmup_seconds=0)).operators
    assert times.unavailable is None
    assert times.operators[0].us_per_run == 0  # it runs once, at load
