"""Pruned, shared and quantized in one chain: here, and TensorFlow Model Optimization's PCQAT.

    python tools/benchmarks/joint.py run resnet_8 peer --seed 0
    python tools/benchmarks/joint.py run resnet_8 here --seed 0
    python tools/benchmarks/joint.py table

80 % zeros, 16 values, int8, on Fashion-MNIST and the reference networks in tf_keras, on which
alone PCQAT works; the same epochs for each of the three steps on both sides. Downloads are the
file's bytes by xz -9. Results go into tools/benchmarks/joint.json and are not measured again.
`table` writes docs/measured/quantize.md.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # TFMOT fails to import without it
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import lzma
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import click
import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from ai_edge_litert.interpreter import Interpreter
from kept_results import KeptResults
from measured_table import renew_page
from named_arrays import arrays
from prune import BATCH, LOSS, dense_model
from tensorflow_model_optimization.python.core.clustering.keras.experimental import (
    cluster as experimental,
)

from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.weights import weights_of

RESULTS = KeptResults(__file__)
ZEROS, VALUES, EPOCHS, RATE = 0.8, 16, 2, 1e-3
NETWORKS = ("resnet_8", "mobilenet_v1_025")


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


@main.command()
@click.argument("network", type=click.Choice(NETWORKS))
@click.argument("side", type=click.Choice(["here", "peer"]))
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--zeros", type=float, default=ZEROS, show_default=True, help="Of this side alone.")
def run(network: str, side: str, seed: int, zeros: float) -> None:
    """The whole chain on one network; a few minutes."""
    key = f"{network} {side} {seed}" + (f" {zeros:g}" if zeros != ZEROS else "")
    if key in RESULTS.known:
        return
    tf_keras.utils.set_random_seed(seed)
    began = time.perf_counter()
    x, y, x_test, y_test = arrays("fashion-mnist")
    tflite = _here(network, x, y, seed, zeros) if side == "here" else _peer(network, x, y, seed)
    seconds = time.perf_counter() - began
    reader = Interpreter(model_content=tflite)
    (name,) = next(iter(reader.get_signature_list().values()))["inputs"]
    (answers,) = run_file(tflite, {name: x_test}).outputs.values()
    zeros_found, values = _in_file(tflite)
    found = {
        "accuracy": float(np.mean(answers.argmax(-1) == y_test)),
        "bytes": len(tflite),
        "download": len(lzma.compress(tflite, preset=9 | lzma.PRESET_EXTREME)),
        "zeros": zeros_found,
        "values": values,
        "seconds": seconds,
    }
    RESULTS.keep(key, found)


def _fit(model: Any, x: Any, y: Any, callbacks: list[Any]) -> None:
    rate = tf_keras.optimizers.schedules.CosineDecay(RATE, EPOCHS * len(x) // BATCH)
    model.compile(tf_keras.optimizers.Adam(rate), LOSS)
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=callbacks)


def _peer(network: str, x: Any, y: Any, seed: int) -> bytes:
    """As TFMOT's guide to collaborative optimization has it."""
    sparsity = tfmot.sparsity.keras
    end = EPOCHS * len(x) // BATCH
    schedule = sparsity.PolynomialDecay(0.5, ZEROS, 0, int(0.8 * end), frequency=100)
    pruned = sparsity.prune_low_magnitude(dense_model(network, "fashion-mnist", seed), schedule)
    _fit(pruned, x, y, [sparsity.UpdatePruningStep()])
    pruned = sparsity.strip_pruning(pruned)
    centroids = tfmot.clustering.keras.CentroidInitialization
    # k-means++ fails on a kernel with fewer values than clusters, as pruned depthwise ones have.
    starts = centroids.LINEAR if network == "mobilenet_v1_025" else centroids.KMEANS_PLUS_PLUS
    shared = experimental.cluster_weights(pruned, VALUES, starts, preserve_sparsity=True)
    _fit(shared, x, y, [])
    shared = tfmot.clustering.keras.strip_clustering(shared)
    quantization = tfmot.quantization.keras
    annotated = quantization.quantize_annotate_model(shared)
    scheme = tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme(
        preserve_sparsity=True
    )
    trained = quantization.quantize_apply(annotated, scheme)
    _fit(trained, x, y, [])
    converter = tf.lite.TFLiteConverter.from_keras_model(
        tfmot.clustering.keras.strip_clustering(trained)
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return bytes(converter.convert())


def _here(network: str, x: Any, y: Any, seed: int, zeros: float) -> bytes:
    from tflite_squeeze import Cluster, FineTune, Prune, QuantizationAware, cluster, prune, quantize
    from tflite_squeeze.conversion.convert import convert

    data = {"x_train": x, "y_train": y}
    how = FineTune(epochs=EPOCHS, batch=BATCH, learning_rate=RATE, seed=seed)
    model = dense_model(network, "fashion-mnist", seed)
    model, _ = prune(model, Prune(sparsity=zeros), data, how)
    model, _ = cluster(model, Cluster(clusters=VALUES), data, how)
    twin, _ = quantize(model, QuantizationAware(), data, how)
    return convert(twin, data=data, verification=None).tflite


def _in_file(tflite: bytes) -> tuple[float, int]:
    """The share of zeros in all large int8 weights, and the most values that one of them has."""
    found = [
        np.asarray(weight.values)
        for weight in weights_of(read_model(tflite))
        if weight.elements >= 1024 and weight.values is not None
    ]
    flat = np.concatenate([one.ravel() for one in found])
    return float(np.mean(flat == 0)), max(len(np.unique(one)) for one in found)


@main.command()
def table() -> None:
    """Writes the page's table."""
    known = RESULTS.known
    rows = [
        "| network | side | seed | accuracy | file | download | zeros | values |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for key, found in sorted(known.items()):
        network, side, seed = key.split()[:3]
        rows.append(
            f"| {network} | {side} | {seed} | {found['accuracy']:.2%} | {found['bytes']:,} | "
            f"{found['download']:,} | {found['zeros']:.1%} | {found['values']} |"
        )
    renew_page("quantize", "joint", "\n".join(rows))


if __name__ == "__main__":
    main()
