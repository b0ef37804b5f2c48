"""Binary and ternary networks, measured: size, accuracy, agreement and latency.

python tools/benchmarks/binary.py ternary            # 784-1024-1024-10, ternary weights, MNIST
python tools/benchmarks/binary.py ternary --scale trained

Every part prints a Markdown table and names machine and versions. Accuracy and agreement are of
all 10,000 test images; nothing is chosen by them. With --folder, trained models are kept there
and a second run only measures.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # Larq fails to import without it
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import tensorflow as tf
import tf_keras

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tflite_squeeze import flavors
from tflite_squeeze.compress.binarize import binarize
from tflite_squeeze.compress.binarize_config import Binarize
from tflite_squeeze.compress.finetune import finetune
from tflite_squeeze.compress.finetune_config import FineTune
from tflite_squeeze.compress.quality import validation_quality
from tflite_squeeze.convert.config import Convert
from tflite_squeeze.io.data import load_data
from tflite_squeeze.io.models import load_model
from tflite_squeeze.io.save import save_model
from tflite_squeeze.measure.turns import in_turns
from tflite_squeeze.measure.verify import Verify
from tflite_squeeze.pipeline.convert import convert


@click.group(help=__doc__)
def main() -> None:
    """The command line."""
    click.echo(
        f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"tensorflow {tf.__version__}, tf_keras {tf_keras.__version__}; "
        f"{' '.join(sys.argv[1:])}\n"
    )


def wide_dense() -> Any:
    """784-1024-1024-10 with normalisation: 1,873,930 parameters."""
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            layers.Input((28, 28, 1), name="image"),
            layers.Flatten(name="flatten"),
            layers.Dense(1024, use_bias=False, name="dense_1"),
            layers.BatchNormalization(name="norm_1"),
            layers.ReLU(name="relu_1"),
            layers.Dense(1024, use_bias=False, name="dense_2"),
            layers.BatchNormalization(name="norm_2"),
            layers.ReLU(name="relu_2"),
            layers.Dense(10, activation="softmax", name="probabilities"),
        ],
        name="wide_dense",
    )


def kept(folder: str | None, name: str, train: Callable[[], Any]) -> Any:
    """A trained model, from the folder where it is there."""
    path = None if folder is None else Path(folder) / f"{name}.h5"
    if path is not None and path.exists():
        return load_model(path).model
    model = train()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_model(model, path)
    return model


def trained_float(build: Callable[[], Any], data: str, epochs: int, seed: int) -> Any:
    """A float network, trained from scratch."""
    tf_keras.utils.set_random_seed(seed)
    model = build()
    samples = load_data(data).fitted_to(flavors.input_specs(model))
    finetune(model, samples, FineTune(epochs=epochs, learning_rate=1e-3, seed=seed))
    click.echo(f"float {model.name} on {data}: {validation_quality(model, samples):.2%}", err=True)
    return model


@main.command()
@click.option("--scale", type=click.Choice(("mean", "trained")), default="mean")
@click.option("--float-epochs", default=6)
@click.option("--epochs", default=12)
@click.option("--learning-rate", default=1e-3)
@click.option("--seed", default=0)
@click.option("--folder", default=None, help="Where trained models are kept.")
def ternary(
    scale: Any, float_epochs: int, epochs: int, learning_rate: float, seed: int, folder: str | None
) -> None:
    """784-1024-1024-10 with ternary weights on the stock runtime."""
    dense = kept(
        folder,
        f"wide_dense_{seed}",
        lambda: trained_float(wide_dense, "mnist", float_epochs, seed),
    )
    config = Binarize(weights="ternary", inputs="float", scale=scale, protect=("last",))
    training = FineTune(epochs=epochs, learning_rate=learning_rate, seed=seed)
    model = kept(
        folder,
        f"ternary_{scale}_{seed}",
        lambda: binarize(dense, config, "mnist", training).model,
    )
    plain = Convert(low_bit="off", sparsity="dense")
    float_file = convert(dense, plain, verification=None).tflite
    converted = convert(
        model, Convert(quantize="dynamic"), "mnist", verification=Verify(samples=None)
    )
    record = converted.record
    (output,) = record.verification.outputs
    times = in_turns({"float": float_file, "ternary": converted.tflite})
    click.echo("| file | bytes | µs in turns | accuracy | same prediction as its model |")
    click.echo("|---|---:|---:|---:|---:|")
    click.echo(f"| float | {len(float_file):,} | {times['float']:.1f} | | |")
    click.echo(
        f"| ternary, {scale} scale, {record.low_bit.stored} | {len(converted.tflite):,} | "
        f"{times['ternary']:.1f} | {output.accuracy.file:.2%} | {output.agreement:.2%} |"
    )
    click.echo(
        f"\n{len(float_file) / len(converted.tflite):.2f} times smaller, "
        f"{times['float'] / times['ternary']:.2f} times as fast, weights in the file exact"
    )


if __name__ == "__main__":
    main()
