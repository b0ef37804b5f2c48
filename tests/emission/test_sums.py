"""Sums that a batch of 1 makes look like biases to Keras 3."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.emission.sums import broadcast_sums
from tflite_squeeze.tflite.flatbuffer import operator_names

_SIGNAL = np.random.default_rng(0).normal(size=(24, 16, 1)).astype(np.float32)


def _u_net(library: Any) -> Any:
    """A signal of one channel, added to what a transposed convolution made of it."""
    layers = library.layers
    signal = library.Input((16, 1), name="x")
    found = layers.Conv1D(4, 4, strides=2, padding="same", activation="relu")(signal)
    gate = layers.Conv1D(4, 1, activation="sigmoid")(found)
    found = layers.Multiply()([found, gate])
    found = layers.Conv1DTranspose(1, 4, strides=2, padding="same")(found)
    return library.Model(signal, layers.Add()([signal, found]))


@pytest.mark.parametrize("quantize", list(Quantization))
def test_one_channel_is_added(library: Any, quantize: Quantization) -> None:
    done = convert(_u_net(library), Convert(quantize=quantize), _SIGNAL)
    assert done.record.verification.passed
    assert [name for names in operator_names(done.tflite) for name in names].count("ADD") == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((4, 1), (4, 1)), ((4, 4), (4, 1)), ((4, 1), (1, 4)), ((4, 3, 4), (4, 1, 1)),
        ((2, 4, 3, 1), (2, 1, 1, 1)), ((4, 3), (1, 3)), ((4,), (4,)),
    ],
)  # fmt: skip
def test_shapes_are_broadcast(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    a = np.arange(np.prod(first), dtype=np.float32).reshape(1, *first)
    b = 100 * np.arange(np.prod(second), dtype=np.float32).reshape(1, *second)
    with broadcast_sums():
        np.testing.assert_array_equal(keras.ops.add(tf.constant(a), tf.constant(b)), a + b)


def test_without_it_an_axis_is_mistaken() -> None:
    a, b = np.zeros((1, 4, 4), np.float32), np.arange(4, dtype=np.float32).reshape(1, 4, 1)
    assert not np.array_equal(keras.ops.add(tf.constant(a), tf.constant(b)), a + b)
    with broadcast_sums():
        pass
    assert not np.array_equal(keras.ops.add(tf.constant(a), tf.constant(b)), a + b)


def test_dtypes_are_promoted_and_biases_stay() -> None:
    with broadcast_sums():
        assert keras.ops.add(tf.ones((1, 4, 1)), tf.ones((1, 4, 1), tf.int32)).dtype == "float32"
        assert keras.ops.add(tf.ones((1, 4)), 1).dtype == "float32"

        @tf.function
        def biased() -> Any:
            return keras.ops.add(tf.ones((1, 4, 3)), tf.ones((3,)))

        operations = [one.type for one in biased.get_concrete_function().graph.get_operations()]
    assert "BiasAdd" in operations


def test_channels_first_with_as_many_filters_as_columns() -> None:
    image = keras.Input((3, 6, 6), name="x")
    layer = keras.layers.Conv2D(4, 3, data_format="channels_first")
    model = keras.Model(image, layer(image))
    layer.bias.assign([0.0, 10.0, 20.0, 30.0])
    samples = np.random.default_rng(0).normal(size=(8, 3, 6, 6)).astype(np.float32)
    done = convert(model, Convert(), samples)
    assert done.record.verification.passed
