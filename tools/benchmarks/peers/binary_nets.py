"""`binarize` beside Larq, and `convert` beside Larq Compute Engine's converter."""

from collections.abc import Iterator
from typing import Any

import binary as benchmark
import binary_latency
import numpy as np
import tf_keras

from tflite_squeeze.network.larq_library import larq
from tflite_squeeze.techniques.binarization.binarize import binarize
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.training.config import FineTune

from .arrays import Arrays, fashion_mnist
from .files import accuracy_row, beside, latency_row, size_rows, turns_of
from .results import Row

_BINARY = {"kernel_quantizer": "ste_sign", "kernel_constraint": "weight_clip"}


def larq_network() -> Any:
    """784-1024-1024-10 as Larq's guide has such a network: binary but for first inputs and last."""
    layers, quant = tf_keras.layers, larq().layers.QuantDense
    return tf_keras.Sequential(
        [
            layers.Input((28, 28, 1), name="image"),
            layers.Flatten(name="flatten"),
            quant(1024, use_bias=False, name="dense_1", **_BINARY),
            layers.BatchNormalization(name="norm_1"),
            quant(1024, use_bias=False, input_quantizer="ste_sign", name="dense_2", **_BINARY),
            layers.BatchNormalization(name="norm_2"),
            layers.Dense(10, activation="softmax", name="probabilities"),
        ],
        name="wide_dense",
    )


def trained(model: Any, data: Arrays, epochs: int, rate: float) -> Any:
    """Trains a network from the start with Adam and a cosine."""
    steps = max(1, epochs * -(-len(data.x) // 128))
    optimizer = tf_keras.optimizers.Adam(tf_keras.optimizers.schedules.CosineDecay(rate, steps))
    model.compile(optimizer, "sparse_categorical_crossentropy")
    model.fit(data.x, data.y, batch_size=128, epochs=epochs, verbose=0)
    return model


def _right(model: Any, data: Arrays) -> np.ndarray:
    scores = model.predict(data.x_test, batch_size=500, verbose=0)
    return np.asarray(scores.argmax(axis=-1) == data.y_test)


def dense(
    float_epochs: int, epochs: int, rate: float, seed: int, *, quick: bool = False
) -> Iterator[Row]:
    """Accuracy of both trainings of as many epochs; both conversions of this side's network."""
    data = fashion_mnist(quick=quick)
    tf_keras.utils.set_random_seed(seed)
    peer = trained(larq_network(), data, float_epochs + epochs, rate)
    float_model = benchmark.trained_float(benchmark.wide_dense, data.as_data, float_epochs, seed)
    training = FineTune(epochs=epochs, learning_rate=rate, seed=seed)
    model = binarize(float_model, Binarize(protect=("last",)), data.as_data, training).model
    total = f"{float_epochs + epochs} epochs in all"
    yield accuracy_row(f"wide_dense, {total}", _right(model, data), _right(peer, data))
    files = benchmark.converted_by_both(model)
    yield from beside(
        "wide_dense, converted", files["here"], files["theirs"], data,
        quick=quick, larq=True,
    )  # fmt: skip


def convolutions() -> Iterator[Row]:
    """Four binary convolutions of 128 channels, with random weights: both conversions."""
    tf_keras.utils.set_random_seed(0)
    options = _BINARY | {"input_quantizer": "ste_sign", "pad_values": 1.0}
    files = benchmark.converted_by_both(binary_latency.four(larq().layers.QuantConv2D, **options))
    what = "four binary convolutions, converted"
    yield from size_rows(what, files["here"], files["theirs"])
    yield latency_row(what, files["here"], files["theirs"], turns=turns_of(quick=False), larq=True)
