"""Binary and ternary networks, measured: size, accuracy, agreement and latency.

python tools/benchmarks/binary.py ternary            # 784-1024-1024-10, ternary weights, MNIST
python tools/benchmarks/binary.py ternary --scale trained
python tools/benchmarks/binary.py dense              # the same, binary, beside Larq's conversion
python tools/benchmarks/binary.py latency            # four convolutions in every form, one run
python tools/benchmarks/binary.py convolutional --data mnist            # 13.19 KiB of weights
python tools/benchmarks/binary.py convolutional --data fashion-mnist
python tools/benchmarks/binary.py convolutional --data fashion-mnist --width 4

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
import numpy as np
import tensorflow as tf
import tf_keras

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from binary_latency import latency

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.data.data import load_data
from tflite_squeeze.data.named_sets import load_named_set
from tflite_squeeze.data.preprocessing import preprocess_array
from tflite_squeeze.emission.chatter import caught_chatter
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.network import flavors
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.save import save_model
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.runtime.turns import in_turns
from tflite_squeeze.techniques.binarization.binarize import binarize
from tflite_squeeze.techniques.binarization.bit_size import packed_bytes
from tflite_squeeze.techniques.binarization.config import Binarize, LayerQuantizers
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.finetune import finetune
from tflite_squeeze.training.quality import validation_quality
from tflite_squeeze.verification.record import Verify


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
        save_model(model, path, force=True)
    return model


def mnist(train_images: int | None) -> Any:
    """MNIST, or so many of its training images and all its test images."""
    if train_images is None:
        return "mnist"
    named = load_named_set("mnist")
    return {
        "x_train": preprocess_array(named.x_train[:train_images], named.preprocessing),
        "y_train": named.y_train[:train_images],
        "x_test": preprocess_array(named.x_test, named.preprocessing),
        "y_test": named.y_test,
    }


def trained_float(build: Callable[[], Any], data: Any, epochs: int, seed: int) -> Any:
    """A float network, trained from scratch."""
    tf_keras.utils.set_random_seed(seed)
    model = build()
    samples = load_data(data).fitted_to(flavors.input_specs(model))
    finetune(model, samples, FineTune(epochs=epochs, learning_rate=1e-3, seed=seed))
    click.echo(f"float {model.name}: {validation_quality(model, samples):.2%}", err=True)
    return model


@main.command()
@click.option("--scale", type=click.Choice(("mean", "trained")), default="mean")
@click.option("--float-epochs", default=6)
@click.option("--epochs", default=12)
@click.option("--learning-rate", default=1e-3)
@click.option("--seed", default=0)
@click.option("--train-images", type=int, default=None, help="The first so many; all by default.")
@click.option("--folder", default=None, help="Where trained models are kept.")
def ternary(
    scale: Any,
    float_epochs: int,
    epochs: int,
    learning_rate: float,
    seed: int,
    train_images: int | None,
    folder: str | None,
) -> None:
    """784-1024-1024-10 with ternary weights on the stock runtime."""
    data = mnist(train_images)
    dense = kept(
        folder,
        f"wide_dense_{seed}",
        lambda: trained_float(wide_dense, data, float_epochs, seed),
    )
    config = Binarize(weights="ternary", inputs="float", scale=scale, protect=("last",))
    training = FineTune(epochs=epochs, learning_rate=learning_rate, seed=seed)
    model = kept(
        folder,
        f"ternary_{scale}_{seed}",
        lambda: binarize(dense, config, data, training).model,
    )
    plain = Convert(low_bit="off", sparsity="dense")
    float_file = convert(dense, plain, verification=None).tflite
    converted = convert(model, Convert(quantize="dynamic"), data, verification=Verify(samples=None))
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


def convolutional_network(width: int) -> Any:
    """Three convolutions and two Dense layers: Larq's own MNIST example for width 1.

    Normalisation has no scale there, since a sign follows; the convolutions have no bias.
    """
    layers = tf_keras.layers
    options = {"use_bias": False}

    def norm(name: str) -> Any:
        return layers.BatchNormalization(scale=False, name=name)

    return tf_keras.Sequential(
        [
            layers.Input((28, 28, 1), name="image"),
            layers.Conv2D(32 * width, 3, name="conv_1", **options),
            layers.MaxPooling2D(2, name="pool_1"),
            norm("norm_1"),
            layers.Conv2D(64 * width, 3, name="conv_2", **options),
            layers.MaxPooling2D(2, name="pool_2"),
            norm("norm_2"),
            layers.Conv2D(64 * width, 3, name="conv_3", **options),
            norm("norm_3"),
            layers.Flatten(name="flatten"),
            layers.Dense(64 * width, name="dense", **options),
            norm("norm_4"),
            layers.Dense(10, name="classes", **options),
            norm("norm_5"),
            layers.Softmax(name="probabilities"),
        ],
        name=f"convolutional_{width}",
    )


@main.command()
@click.option("--data", type=click.Choice(("mnist", "fashion-mnist")), default="mnist")
@click.option("--width", default=1, help="Channels, as a multiple of Larq's example.")
@click.option("--epochs", default=15)
@click.option("--learning-rate", default=1e-2)
@click.option("--batch", default=64)
@click.option("--optimizer", type=click.Choice(("adam", "bop")), default="adam")
@click.option("--seed", default=0)
@click.option("--folder", default=None, help="Where trained models are kept.")
def convolutional(
    data: str, width: int, epochs: int, learning_rate: float, batch: int, optimizer: Any,
    seed: int, folder: str | None,
) -> None:  # fmt: skip
    """A binary convolutional network, trained from scratch: accuracy and bytes."""
    config = Binarize(
        protect=(),
        layers={"conv_1": LayerQuantizers(input="none")},
        initialize="random",
        optimizer=optimizer,
    )
    training = FineTune(epochs=epochs, batch=batch, learning_rate=learning_rate, seed=seed)

    def train() -> Any:
        tf_keras.utils.set_random_seed(seed)
        model, record = binarize(convolutional_network(width), config, data, training)
        click.echo(f"{record.after:.2%} after {record.seconds:.0f} s", err=True)
        return model

    model = kept(folder, f"convolutional_{data}_{width}_{optimizer}_{seed}", train)
    samples = load_data(data).fitted_to(flavors.input_specs(model))
    click.echo("| network | set | KiB of weights | accuracy |")
    click.echo("|---|---|---:|---:|")
    accuracy = validation_quality(model, samples)
    click.echo(f"| {model.name} | {data} | {packed_bytes(model) / 1024:.2f} | {accuracy:.2%} |")


@main.command()
@click.option("--float-epochs", default=6)
@click.option("--epochs", default=15)
@click.option("--learning-rate", default=2e-3)
@click.option("--seed", default=0)
@click.option("--train-images", type=int, default=None, help="The first so many; all by default.")
@click.option("--folder", default=None, help="Where trained models are kept.")
def dense(
    float_epochs: int,
    epochs: int,
    learning_rate: float,
    seed: int,
    train_images: int | None,
    folder: str | None,
) -> None:
    """784-1024-1024-10, all but the last layer binary, beside Larq's own conversion."""
    data = mnist(train_images)
    config = Binarize(protect=("last",))
    training = FineTune(epochs=epochs, learning_rate=learning_rate, seed=seed)

    def train() -> Any:
        float_model = kept(
            folder,
            f"wide_dense_{seed}",
            lambda: trained_float(wide_dense, data, float_epochs, seed),
        )
        model, record = binarize(float_model, config, data, training)
        click.echo(f"{record.after:.2%} after {record.seconds:.0f} s", err=True)
        return model

    model = kept(folder, f"wide_binary_{seed}", train)
    files = converted_by_both(model)
    samples = load_data(data).fitted_to(flavors.input_specs(model))
    images = samples.sample("validation", None)
    answers = {
        name: next(iter(run_file(tflite, images.inputs).outputs.values())).argmax(axis=-1)
        for name, tflite in files.items()
    }
    answers["model"] = model.predict(images.inputs["image"], verbose=0).argmax(axis=-1)
    click.echo("| file | bytes | accuracy | same prediction as the other file |")
    click.echo("|---|---:|---:|---:|")
    same = float(np.mean(answers["theirs"] == answers["here"]))
    for name, tflite in files.items():
        accuracy = float(np.mean(answers[name] == images.labels))
        click.echo(f"| {name} | {len(tflite):,} | {accuracy:.2%} | {same:.2%} |")
    model_same = float(np.mean(answers["model"] == answers["here"]))
    click.echo(
        f"\n{len(files['theirs']) / len(files['here']):.1f} times smaller; the Keras model and the "
        f"file agree on {model_same:.2%} of {len(images.labels):,} images"
    )


def converted_by_both(model: Any) -> dict[str, bytes]:
    """A Larq model's file by Larq Compute Engine's own converter ("theirs"), and by this one."""
    import larq_compute_engine

    with caught_chatter():
        theirs = bytes(larq_compute_engine.convert_keras_model(model))
    here = convert(model, Convert(runtime="larq"), verification=None)
    return {"theirs": theirs, "here": here.tflite}


main.add_command(latency)

if __name__ == "__main__":
    main()
