"""Latency of convolutions in every form; `python tools/benchmarks/binary.py latency`."""

import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
import tf_keras

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.network.larq_library import larq
from tflite_squeeze.runtime.larq import LarqSession
from tflite_squeeze.runtime.latency import timed
from tflite_squeeze.runtime.session import Session


@click.command()
@click.option("--turns", default=20)
def latency(turns: int) -> None:
    """Four 3x3x128 convolutions at 28x28, one thread: float, int8, Larq's default and indirect."""
    library = larq()
    images = np.random.default_rng(0).normal(size=(64, 28, 28, 128)).astype(np.float32)
    tf_keras.utils.set_random_seed(0)
    plain = convert(four(tf_keras.layers.Conv2D), Convert(sparsity="dense"), verification=None)
    eight = convert(
        four(tf_keras.layers.Conv2D),
        Convert(quantize="int8", sparsity="dense", calibration_samples=32),
        {"x": images},
        verification=None,
    )
    options = {
        "input_quantizer": "ste_sign",
        "kernel_quantizer": "ste_sign",
        "kernel_constraint": "weight_clip",
        "pad_values": 1.0,
    }
    binary = convert(
        four(library.layers.QuantConv2D, **options), Convert(runtime="larq"), verification=None
    )
    with tempfile.TemporaryDirectory() as name:
        sessions = {
            "float": (plain, stock_session(plain.tflite, Path(name) / "float.tflite")),
            "int8": (eight, stock_session(eight.tflite, Path(name) / "int8.tflite")),
            "Larq, default": (binary, LarqSession(binary.tflite, indirect=False)),
            "Larq, indirect": (binary, LarqSession(binary.tflite, indirect=True)),
        }
        invokes = {
            kind: (made, session.invoker({session.inputs[0].name: images[:1]}))
            for kind, (made, session) in sessions.items()
        }
        times: dict[str, list[float]] = {kind: [] for kind in invokes}
        for _ in range(turns):
            for kind, (_, invoke) in invokes.items():
                times[kind].append(float(np.median(timed(invoke, runs=3, min_seconds=0.01))))
    click.echo("| network | file bytes | ms, median of turns | ms, least | against float |")
    click.echo("|---|---:|---:|---:|---:|")
    base = times["float"]
    for kind, (made, _) in invokes.items():
        ratio = float(np.median(np.divide(times[kind], base)))
        click.echo(
            f"| {kind} | {len(made.tflite):,} | {np.median(times[kind]) / 1000:.2f} | "
            f"{min(times[kind]) / 1000:.2f} | {ratio:.2f} |"
        )


def stock_session(tflite: bytes, path: Path) -> Session:
    """A file in LiteRT's own interpreter, on one thread."""
    path.write_bytes(tflite)
    return Session(path, signature=None, threads=1)


def four(layer: Any, **options: Any) -> Any:
    """Four SAME convolutions of 3x3 with 128 channels, each with normalisation."""
    parts: list[Any] = [tf_keras.Input((28, 28, 128), name="image")]
    for number in range(4):
        parts.append(
            layer(128, 3, padding="same", use_bias=False, name=f"conv_{number}", **options)
        )
        parts.append(tf_keras.layers.BatchNormalization(name=f"norm_{number}"))
    return tf_keras.Sequential(parts, name="four")
