"""`quantize` beside TFMOT's quantization-aware training: accuracy, the int8 file, a step."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import prune as benchmark
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.network.rewriting import copy_of
from tflite_squeeze.techniques.quantization.aware import quantization_aware

from .arrays import fashion_mnist
from .files import beside, right
from .pruning import one_thread, step_batches, step_row
from .results import Row, seeds_row

RATE = 1e-4  # of both


def trained(network: str, seeds: int, count: int, *, quick: bool = False) -> Iterator[Row]:
    """Accuracy of the files after as many steps, each seed, and the first seed's files."""
    data = fashion_mnist(quick=quick)
    files: dict[str, list[bytes]] = {"here": [], "TFMOT": []}
    for seed in range(seeds):
        tf_keras.utils.set_random_seed(seed)
        order = np.random.default_rng(seed).permutation(len(data.x))[: benchmark.BATCH * count]
        model = benchmark.dense_model(network, "fashion-mnist", seed)
        twin = _trained(quantization_aware(copy_of(model)), data, order)
        peer = _trained(tfmot.quantization.keras.quantize_model(copy_of(model)), data, order)
        files["here"].append(convert(twin, data=data.calibration, verification=None).tflite)
        converter = tf.lite.TFLiteConverter.from_keras_model(peer)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        files["TFMOT"].append(bytes(converter.convert()))
    what = f"{network}, int8 trained for {count} steps"
    accuracies = {
        name: [float(right(one, data).mean()) for one in each] for name, each in files.items()
    }
    yield seeds_row(what, "accuracy", accuracies["here"], accuracies["TFMOT"])
    yield from beside(f"{what}, seed 0", files["here"][0], files["TFMOT"][0], data, quick=quick)


def _trained(model: Any, data: Any, order: np.ndarray) -> Any:
    model.compile(tf_keras.optimizers.Adam(RATE), benchmark.LOSS)
    x, y = data.x[order], data.y[order]
    model.fit(x, y, batch_size=benchmark.BATCH, shuffle=False, verbose=0)
    return model


def steps(network: str, repetitions: int, count: int) -> Iterator[Row]:
    """CPU time of a training step of the quantized network."""
    one_thread()
    yield step_row(
        f"{network}, quantized", network,
        lambda model: (quantization_aware(model), []),
        lambda model: (tfmot.quantization.keras.quantize_model(model), []),
        step_batches(count), repetitions, count,
    )  # fmt: skip
