"""Binary inputs and weights with Larq's layers, from models of both Kerases."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.binarization.binarize import binarize
from tflite_squeeze.techniques.binarization.bit_size import (
    packed_bytes,
    quantised_weights,
    stored_numbers,
)
from tflite_squeeze.techniques.binarization.config import Binarize, LayerQuantizers
from tflite_squeeze.techniques.binarization.larq_training import flip_ratio, stages_of
from tflite_squeeze.techniques.binarization.record import BinarizeRecord
from tflite_squeeze.training.config import FineTune

pytestmark = pytest.mark.slow


def wide(library: Any) -> Any:
    """8 → 32 → 32 → 3."""
    library.utils.set_random_seed(5)
    layers = library.layers
    return library.Sequential(
        [
            library.Input((8,), name="x"),
            layers.Dense(32, activation="relu", name="begin"),
            layers.Dense(32, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="scores"),
        ],
        name="wide",
    )


@pytest.fixture
def npz(tmp_path: Any) -> str:
    x = tiny_models.examples(384, 8)
    y = np.argmax(x[:, :3], axis=1)
    parts = {"x_train": x[:256], "y_train": y[:256], "x_test": x[256:], "y_test": y[256:]}
    np.savez(tmp_path / "data.npz", **parts)
    return str(tmp_path / "data.npz")


def test_training_from_either_keras(library: Any, npz: str) -> None:
    model = wide(library)
    before = [weight.copy() for weight in model.get_weights()]
    training = FineTune(epochs=6, batch=32, learning_rate=1e-2)
    changed, record = binarize(model, Binarize(), npz, training)
    assert type(changed.get_layer("hidden")).__name__ == "QuantDense"
    assert type(changed).__module__.startswith("tf_keras")
    assert [weight.name for weight in record.weights] == ["hidden/kernel"]
    assert record.weights[0].bits == record.weights[0].input_bits == 1
    assert set(np.unique(quantised_weights(changed)["hidden/kernel"][0])) == {-1, 1}
    assert record.reached
    assert record.after is not None
    assert record.after > 0.6
    assert {item.layer for item in record.skipped} == {"begin", "scores"}
    assert len(record.history["flip_ratio/hidden/kernel"]) == 6
    assert 0 < max(record.history["flip_ratio/hidden/kernel"]) < 0.5
    # 1024 bits; 288 + 99 numbers of the outer layers, two norms of 32 channels.
    assert record.packed_bytes == 1024 // 8 + 4 * (288 + 99 + 2 * 2 * 32)
    assert record.history["packed_bytes"][-1] == record.packed_bytes == packed_bytes(changed)
    assert BinarizeRecord.model_validate_json(record.model_dump_json()) == record
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_latent_weights_begin_as_the_trained_ones(library: Any) -> None:
    model = wide(library)
    kernel = np.asarray(model.get_layer("hidden").kernel)
    changed, record = binarize(model, Binarize())
    np.testing.assert_array_equal(changed.get_layer("hidden").get_weights()[0], kernel)
    np.testing.assert_array_equal(
        quantised_weights(changed)["hidden/kernel"][0], np.where(kernel >= 0, 1, -1)
    )
    assert record.finetune is None
    anew, _ = binarize(model, Binarize(initialize="random"))
    assert not np.array_equal(anew.get_layer("hidden").get_weights()[0], kernel)


@pytest.mark.parametrize(
    "config",
    [
        Binarize(optimizer="bop", bop_gamma=1e-2),
        Binarize(stages="two-stage"),
        Binarize(stages="gradual", protect=("last",)),
        Binarize(input_quantizer="approx_sign", kernel_quantizer="magnitude_aware_sign"),
        Binarize(input_quantizer="swish_sign", kernel_quantizer="ste_tern"),
        Binarize(input_quantizer="dorefa_quantizer", kernel_quantizer="dorefa_quantizer", bits=3),
        Binarize(weights="ternary", clip=False),
    ],
    ids=["bop", "two-stage", "gradual", "magnitude", "tern", "dorefa", "ternary"],
)
def test_every_way_to_train(config: Binarize, npz: str) -> None:
    model = wide(tiny_models.LIBRARIES["tf_keras"])
    training = FineTune(epochs=3, batch=64, learning_rate=1e-2)
    changed, record = binarize(model, config, npz, training)
    assert record.reached
    assert len(record.history["loss"]) == 3
    assert np.isfinite(record.history["loss"]).all()
    values, bits = quantised_weights(changed)["hidden/kernel"]
    wanted = {"ste_tern": 2, "dorefa_quantizer": 3}.get(str(config.kernel_quantizer), 1)
    assert bits == (2 if config.weights == "ternary" else wanted)
    assert len(np.unique(np.abs(values[:, 0]))) <= 2**bits
    latent = changed.get_layer("hidden").get_weights()[0]
    if config.clip and config.kernel_quantizer != "dorefa_quantizer":
        assert np.abs(latent).max() <= 1
    if config.optimizer == "bop":
        assert set(np.unique(latent)) == {-1.0, 1.0}


def test_quantizers_of_single_layers_and_the_original_as_teacher(npz: str) -> None:
    model = wide(tiny_models.LIBRARIES["keras"])
    config = Binarize(
        protect=("last",),
        layers={
            "begin": LayerQuantizers(input="none"),
            "Dense": LayerQuantizers(kernel="ste_tern"),
        },
    )
    training = FineTune(epochs=1, batch=64, teacher="original")
    changed, record = binarize(model, config, npz, training)
    assert changed.get_layer("begin").input_quantizer is None
    assert changed.get_layer("hidden").input_quantizer is not None
    assert [weight.input_bits for weight in record.weights] == [32, 1]
    assert [weight.bits for weight in record.weights] == [2, 2]


def test_convolutions_of_all_kinds(library: Any) -> None:
    layers = library.layers
    x = library.Input((8, 8, 4), name="image")
    y = layers.Conv2D(4, 3, padding="same", name="begin")(x)
    y = layers.Conv2D(4, 3, padding="same", name="plain")(y)
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(y)
    y = layers.SeparableConv2D(4, 3, name="separable")(y)
    y = layers.Conv2DTranspose(4, 3, name="transposed")(y)
    y = layers.Conv1D(4, 3, name="steps")(layers.Reshape((64, 4))(y))
    y = layers.LSTM(4, name="memory")(y)
    model = library.Model(x, layers.Dense(2, name="scores")(y))
    changed, record = binarize(model, Binarize())
    assert [weight.name for weight in record.weights] == [
        "plain/kernel", "depthwise/depthwise", "separable/depthwise", "separable/pointwise",
        "transposed/kernel", "steps/kernel",
    ]  # fmt: skip
    assert changed.get_layer("plain").pad_values == 1.0
    assert {item.layer: item.reason for item in record.skipped}["memory"] == (
        "Larq has no layer for LSTM"
    )
    assert any("pads with ones" in one.change for one in record.changes)
    assert any("Conv1D" in note for note in record.notes)
    assert np.isfinite(changed.predict(tiny_models.examples(2, 8, 8, 4), verbose=0)).all()


def test_stages() -> None:
    names = ("a", "b", "c")
    done = dict.fromkeys(names, "binary")
    assert stages_of(Binarize(), names, 7) == [(done, 7)]
    two = stages_of(Binarize(stages="two-stage"), names, 7)
    assert two == [(dict.fromkeys(names, "inputs"), 3), (done, 4)]
    gradual = stages_of(Binarize(stages="gradual"), names, 8)
    assert [count for _, count in gradual] == [2, 2, 4]
    assert gradual[0][0] == {"a": "binary", "b": "float", "c": "float"}
    assert gradual[-1][0] == done
    # Never without the stage in which all is binary.
    assert stages_of(Binarize(stages="gradual"), names, 1) == [(done, 1)]


def test_flips_and_numbers_by_hand() -> None:
    assert flip_ratio(np.array([1, -1, 1, 1]), np.array([1, 1, 1, -1])) == 0.5
    tf_keras = tiny_models.LIBRARIES["tf_keras"]
    model = tf_keras.Sequential(
        [tf_keras.Input((4,)), tf_keras.layers.Dense(3), tf_keras.layers.BatchNormalization()]
    )
    assert stored_numbers(model) == 15 + 2 * 3


def test_refusals(library: Any) -> None:
    with pytest.raises(UsageError, match="leave in_place out"):
        binarize(wide(library), Binarize(), in_place=True)
    with pytest.raises(UsageError, match="nothing to binarize in model 'dense'"):
        binarize(tiny_models.dense(library), Binarize())
    with pytest.raises(UsageError, match="only names 'conv_9', which matches none of begin"):
        binarize(wide(library), Binarize(only=("conv_9",)))


def test_without_the_variable_it_says_what_to_set() -> None:
    program = (
        "import tf_keras; from tflite_squeeze import Binarize, binarize\n"
        "layers = [tf_keras.Input((4,))] + [tf_keras.layers.Dense(4) for _ in range(3)]\n"
        "binarize(tf_keras.Sequential(layers), Binarize())"
    )
    environment = {"TF_USE_LEGACY_KERAS": "0", "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "set TF_USE_LEGACY_KERAS=1 before TensorFlow is imported" in done.stderr
