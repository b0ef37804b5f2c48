"""Bytes and time of pruned LeNet-300-100: dense, TensorFlow's sparse encoding, and this one's.

The smallest weights of the reference model are set to 0 (its accuracy does not matter here). All
files come from the same weights and the same samples; times are medians of turns taken one after
another in one process, as ratios to the dense file. Prints the machine, then a row per file.

python tools/benchmarks/sparse_files.py
"""

import contextlib
import io
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
import tensorflow as tf

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.sparse.emit import sparsify
from tflite_squeeze.emission.sparse.record import compare_sparse
from tflite_squeeze.errors import RuntimeFailure
from tflite_squeeze.tflite.size import download_bytes

REPOSITORY = Path(__file__).resolve().parents[2]
MODEL = REPOSITORY / "models" / "lenet_300_100.keras"
SAMPLES = REPOSITORY / "models" / "samples" / "fashion-mnist.npz"


def pruned(sparsity: float) -> keras.Model:
    """The reference model with a share of each kernel's weights set to 0, the smallest."""
    model = keras.models.load_model(MODEL, compile=False)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            weights = layer.kernel.numpy()
            limit = np.quantile(np.abs(weights), sparsity)
            layer.kernel.assign(np.where(np.abs(weights) <= limit, 0, weights))
    return model


def samples() -> Iterator[list[np.ndarray]]:
    """Calibration samples as TensorFlow's converter wants them."""
    with np.load(SAMPLES) as data:
        images = data["x_train"][:256].reshape(-1, 1, 28, 28, 1).astype(np.float32) / 255
    yield from ([image] for image in images)


def tensorflow_file(model: keras.Model, quantize: str, *, sparse: bool) -> bytes:
    """What TensorFlow's converter writes, batch 1, integer Dense weights with one scale."""
    image = keras.Input(batch_shape=(1, 28, 28, 1), name="image")
    converter: Any = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, model(image)))
    converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY] if sparse else []
    if quantize == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT, *converter.optimizations]
        converter.representative_dataset = samples
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    with contextlib.redirect_stdout(io.StringIO()):
        return bytes(converter.convert())


def rows(quantize: str, sparsity: float) -> Iterator[tuple[str, int, int, str, str]]:
    """Name, bytes, download bytes, time and answers beside the dense file's."""
    model = pruned(sparsity)
    config = Convert(quantize=quantize, per_channel_dense=False, sparsity="dense")
    dense = convert(model, config, data=SAMPLES, verification=None).tflite
    yield "dense", len(dense), download_bytes(dense), "", ""
    theirs = tensorflow_file(model, quantize, sparse=True)
    bare = tensorflow_file(model, quantize, sparse=False)
    for name, baseline, tflite in (
        ("EXPERIMENTAL_SPARSITY", bare, theirs),
        ("ours", dense, sparsify(dense).tflite),
    ):
        try:
            run = compare_sparse(baseline, tflite)
        except RuntimeFailure:
            yield name, len(tflite), download_bytes(tflite), "refused by LiteRT", ""
            continue
        time = f"{run.latency_ratio:.2f} ({run.sparse_us:.1f} / {run.dense_us:.1f} us)"
        same = "identical" if run.max_abs_difference == 0 else f"{run.max_abs_difference:.2g} off"
        yield name, len(tflite), download_bytes(tflite), time, same


@click.command(help=__doc__)
@click.option("--sparsity", type=click.FloatRange(0, 1), multiple=True, default=(0.9, 0.95, 0.98))
@click.option("--quantize", type=click.Choice(("none", "int8")), multiple=True)
def main(sparsity: tuple[float, ...], quantize: tuple[str, ...]) -> None:
    """The command line."""
    click.echo(f"{MODEL.name}, {platform.machine()}, {os.cpu_count()} cores, TF {tf.__version__}")
    click.echo(
        f"{'weights':8}{'zeros':>6}  {'file':22}{'bytes':>10}{'gzip -9':>10}  "
        f"{'time / dense':28}answers"
    )
    for kind in quantize or ("int8", "none"):
        for share in sparsity:
            for name, size, download, time, same in rows(kind, share):
                click.echo(
                    f"{kind:8}{share:>6.0%}  {name:22}{size:>10,}{download:>10,}  {time:28}{same}"
                )


if __name__ == "__main__":
    main()
