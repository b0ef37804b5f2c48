"""Keras models of both flavours, each as small as the thing that it shows."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

LIBRARIES = {"keras": keras, "tf_keras": tf_keras}


def seeded(build: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the models that a function builds the same weights each time."""

    def built(library: Any, **options: Any) -> Any:
        library.utils.set_random_seed(7)
        return build(library, **options)

    return built


@seeded
def dense(library: Any) -> Any:
    """A classifier of 3 classes: 8 → 16 → 3."""
    return library.Sequential(
        [
            library.Input((8,), name="x"),
            library.layers.Dense(16, activation="relu", name="hidden"),
            library.layers.Dense(3, activation="softmax", name="scores"),
        ],
        name="dense",
    )


@seeded
def convolutional(library: Any) -> Any:
    """An image of 8x8x1, a Flatten, 4 classes."""
    layers = library.layers
    return library.Sequential(
        [
            library.Input((8, 8, 1), name="image"),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.Flatten(name="flat"),
            layers.Dense(4, activation="softmax", name="scores"),
        ],
        name="convolutional",
    )


@seeded
def two_ended(library: Any) -> Any:
    """Two inputs of different shapes, two outputs."""
    layers = library.layers
    a, b = library.Input((6,), name="a"), library.Input((2, 2, 1), name="b")
    joined = layers.Concatenate()([layers.Dense(5, activation="relu")(a), layers.Flatten()(b)])
    classes = layers.Dense(3, activation="softmax", name="classes")(joined)
    return library.Model([a, b], [classes, layers.Dense(1, name="value")(joined)], name="two_ended")


@seeded
def keyed(library: Any) -> Any:
    """Takes and returns dicts; a - b tells the inputs apart."""
    a, b = library.Input((4,), name="a"), library.Input((4,), name="b")
    difference = library.layers.Subtract(name="minus")([a, b])
    return library.Model({"a": a, "b": b}, {"difference": difference}, name="keyed")


@seeded
def nested(library: Any) -> Any:
    layers = library.layers
    inner = library.Sequential(
        [library.Input((6,)), layers.Dense(4, activation="relu", name="deep")], name="inner"
    )
    x = library.Input((6,), name="x")
    return library.Model(x, layers.Dense(2, name="y")(inner(x)), name="nested")


@seeded
def shared(library: Any) -> Any:
    """One Dense on both inputs."""
    layer = library.layers.Dense(4, name="both")
    a, b = library.Input((4,), name="a"), library.Input((4,), name="b")
    return library.Model([a, b], library.layers.Subtract()([layer(a), layer(b)]), name="shared")


@seeded
def subclassed(library: Any, *, called: bool = True) -> Any:
    class Network(library.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__(name="subclassed")
            self.first = library.layers.Dense(3, name="first")
            self.second = library.layers.Dense(2, name="second")

        def call(self, inputs: Any, training: bool = False) -> Any:
            return self.second(self.first(inputs))

    model = Network()
    if called:
        model(np.zeros((2, 5), np.float32))
    return model


@seeded
def mixed_precision(library: Any) -> Any:
    layers = library.layers
    policy = "mixed_float16"
    return library.Sequential(
        [
            library.Input((6, 6, 1), name="image"),
            layers.Conv2D(2, 3, dtype=policy),
            layers.BatchNormalization(dtype=policy),
            layers.Flatten(dtype=policy),
            layers.Dense(3, activation="softmax", dtype="float32"),
        ],
        name="mixed",
    )


@seeded
def recurrent(library: Any, *, kind: str = "LSTM", mask: bool = False, **options: Any) -> Any:
    """Ten steps of three values into a recurrent layer of five units, named "memory"."""
    layers = library.layers
    return library.Sequential(
        [
            library.Input((10, 3), name="steps"),
            *([layers.Masking()] if mask else []),
            getattr(layers, kind)(5, name="memory", **options),
            layers.Dense(2, name="y"),
        ],
        name="recurrent",
    )


@seeded
def normalized(library: Any) -> Any:
    """LayerNormalization, which the converter keeps in floating point for Keras 3."""
    layers = library.layers
    return library.Sequential(
        [
            library.Input((8,), name="x"),
            layers.Dense(4),
            layers.LayerNormalization(name="norm"),
            layers.Dense(2, name="y"),
        ],
        name="normalized",
    )


@seeded
def open_length(library: Any) -> Any:
    """A sequence of any length."""
    layers = library.layers
    x = library.Input((None, 3), name="sequence")
    pooled = layers.GlobalAveragePooling1D()(layers.Conv1D(4, 3)(x))
    return library.Model(x, pooled, name="open_length")


@seeded
def odd(library: Any, *, operation: str) -> Any:
    """A Lambda layer "odd" around tf.math's `operation`."""
    function = getattr(tf.math, operation)
    x = library.Input((6,), name="x")
    known = {"output_shape": (4,)} if library is keras else {}
    layer = library.layers.Lambda(lambda tensor: function(tensor), name="odd", **known)
    return library.Model(x, layer(library.layers.Dense(4)(x)), name="odd_model")


class TwoSignatures(tf.Module):
    """Doubling and a product with a weight, as two signatures."""

    def __init__(self) -> None:
        super().__init__(name="two_signatures")
        self.weight = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], name="weight")

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def double(self, x: Any) -> Any:
        return {"doubled": tf.add(x, x)}

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def project(self, x: Any) -> Any:
        return {"projected": tf.matmul(x, self.weight)}

    def functions(self) -> dict[str, Any]:
        return {
            "double": self.double.get_concrete_function(),
            "project": self.project.get_concrete_function(),
        }


def examples(*shape: int, seed: int = 0) -> np.ndarray:
    """Seeded normal numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
