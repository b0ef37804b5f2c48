"""Filter pruning beside Torch-Pruning's DepGraph: the same networks, weights, MACs and steps.

    python tools/benchmarks/depgraph.py train      # both networks, with Keras, on 20,000 images
    python tools/benchmarks/depgraph.py peer       # in an environment of its own, made once
    python tools/benchmarks/depgraph.py here       # to the MACs that the peer left
    python tools/benchmarks/depgraph.py table

A network like ResNet-18 and one like MobileNetV2, narrow ones for 28 x 28 pixels, trained on
Fashion-MNIST. The peer ranks by group norms (GroupNormImportance) over all groups together, as its
documentation recommends, and recovers on labels; here the widths are searched for on 512
unlabelled images, and the original teaches. Both recover for the same number of steps of 64 images
with Adam, a peak rate of 2e-3 and a cosine. Results go into tools/benchmarks/depgraph.json.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import click
import numpy as np
from kept_results import KeptResults
from measured_table import renew_page

from tflite_squeeze.data.data import load_data

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
WORK = REPOSITORY / "build" / "depgraph"
RESULTS = KeptResults(__file__)
PEER = ("torch==2.13.0", "torch-pruning==1.6.1", "numpy")
NETWORKS = ("resnet18_like", "mobilenetv2_like")
EXAMPLES, EPOCHS, STEPS, BATCH, RATE = 20_000, 4, 600, 64, 2e-3


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


def padded(
    layers: Any, x: Any, kind: Any, *arguments: Any, stride: int = 1, **settings: Any
) -> Any:
    """A 3 x 3 convolution with a border of one on each side, as PyTorch has it."""
    x = layers.ZeroPadding2D(1)(x)
    return kind(*arguments, strides=stride, padding="valid", use_bias=False, **settings)(x)


def resnet18_like(keras: Any) -> Any:
    """Four stages of two blocks, 16 to 128 channels."""
    layers = keras.layers
    given = keras.Input((28, 28, 1))
    x = layers.ReLU()(layers.BatchNormalization()(padded(layers, given, layers.Conv2D, 16, 3)))
    for stage, width in enumerate((16, 32, 64, 128)):
        for block in range(2):
            stride = 2 if stage and not block else 1
            y = padded(layers, x, layers.Conv2D, width, 3, stride=stride)
            y = layers.ReLU()(layers.BatchNormalization()(y))
            y = layers.BatchNormalization()(padded(layers, y, layers.Conv2D, width, 3))
            if stride == 2:
                x = layers.Conv2D(width, 1, strides=2, use_bias=False)(x)
                x = layers.BatchNormalization()(x)
            x = layers.ReLU()(layers.Add()([y, x]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(given, layers.Dense(10, activation="softmax")(x), name="resnet18_like")


def mobilenetv2_like(keras: Any) -> Any:
    """Six inverted residuals, 16 to 64 channels, expanded fourfold."""
    layers = keras.layers
    given = keras.Input((28, 28, 1))
    x = padded(layers, given, layers.Conv2D, 16, 3, stride=1)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    width = 16
    for out, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (64, 1)):
        y = layers.Conv2D(4 * width, 1, use_bias=False)(x)
        y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
        y = padded(layers, y, layers.DepthwiseConv2D, 3, stride=stride)
        y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
        y = layers.BatchNormalization()(layers.Conv2D(out, 1, use_bias=False)(y))
        x = layers.Add()([y, x]) if stride == 1 and out == width else y
        width = out
    x = layers.Conv2D(256, 1, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(given, layers.Dense(10, activation="softmax")(x), name="mobilenetv2_like")


def arrays() -> dict[str, Any]:
    """20,000 images to train on and the test set."""
    data = load_data("fashion-mnist")
    train, test = data.sample("train", EXAMPLES), data.sample("validation", None)
    (x,), (x_test,) = train.inputs.values(), test.inputs.values()
    return {
        "x": x.reshape(-1, 28, 28, 1),
        "y": np.asarray(train.labels).ravel(),
        "x_test": x_test.reshape(-1, 28, 28, 1),
        "y_test": np.asarray(test.labels).ravel(),
    }


@main.command()
def train() -> None:
    """Trains both networks and writes their weights, the images and the answers for the peer."""
    import keras

    WORK.mkdir(parents=True, exist_ok=True)
    known = arrays()
    np.savez(WORK / "images.npz", **known)
    for name in NETWORKS:
        path = WORK / f"{name}.keras"
        if path.exists():
            continue
        keras.utils.set_random_seed(0)
        model = globals()[name](keras)
        steps = EPOCHS * EXAMPLES // BATCH
        rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
        model.fit(known["x"], known["y"], batch_size=BATCH, epochs=EPOCHS, verbose=2)
        model.save(path)
        weights = {
            f"{place:03d} {type(layer).__name__} {at}": value
            for place, layer in enumerate(_weighted(model))
            for at, value in enumerate(layer.get_weights())
        }
        answers = model.predict(known["x_test"][:64], verbose=0)
        np.savez(WORK / f"{name}.npz", answers=answers, **weights)


def _weighted(model: Any) -> list[Any]:
    return [layer for layer in model.layers if layer.weights]


@main.command()
def peer() -> None:
    """Prunes with DepGraph, to half of the MACs and to a quarter."""
    python = WORK / "environment" / "bin" / "python"
    if not python.exists():
        venv.create(WORK / "environment", with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PEER], check=True)
    out = WORK / "peer.json"
    command = [str(python), str(HERE / "depgraph_torch.py"), str(WORK), str(out)]
    subprocess.run([*command, str(STEPS), str(BATCH), str(RATE)], check=True)
    for key, value in json.loads(out.read_text()).items():
        RESULTS.keep(f"{key} peer", value)


@main.command()
def here() -> None:
    """Narrows to the MACs that the peer left."""
    from tflite_squeeze import Distill, FineTune, Narrow, distill, load_model, narrow
    from tflite_squeeze.conversion.convert import convert
    from tflite_squeeze.emission.config import Convert
    from tflite_squeeze.tflite.footprint import footprint

    known = np.load(WORK / "images.npz")
    data = {"x_train": known["x"], "y_train": known["y"]}

    def macs(model: Any) -> int:
        return footprint(convert(model, Convert(sparsity="dense"), verification=None).tflite).macs

    for key, found in RESULTS.known.items():
        name, share, side = key.split()
        if side != "peer" or f"{name} {share} here" in RESULTS.known:
            continue
        model = load_model(WORK / f"{name}.keras").model
        config = Narrow(budget="macs", keep=found["macs"], multiple=4)
        cut, record = narrow(model, config, data, one_shot=True)
        before = _accuracy(cut, known)
        how = FineTune(steps=STEPS, batch=BATCH, learning_rate=RATE)
        # as `narrow` itself trains, without a second search
        trained, _ = distill(cut, Distill(temperature=2.0), data, model, how)
        kept = {
            "whole": _accuracy(model, known),
            "macs": macs(trained) / macs(model),
            "before": before,
            "after": _accuracy(trained, known),
            "seconds": record.seconds,
        }
        RESULTS.keep(f"{name} {share} here", kept)


def _accuracy(model: Any, known: Any) -> float:
    answers = model.predict(known["x_test"], batch_size=500, verbose=0)
    return float(np.mean(answers.argmax(-1) == known["y_test"]))


@main.command()
def table() -> None:
    """Writes the figures of both side by side into docs/measured/narrow.md."""
    known = RESULTS.known
    rows = [
        "| network | whole | MACs, DepGraph | here | no training, DepGraph | here | "
        "600 steps, DepGraph | here |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for key, own in known.items():
        name, share, side = key.split()
        if side != "here":
            continue
        peer = known[f"{name} {share} peer"]
        cells = [f"{one[what]:.1%}" for what in ("macs", "before", "after") for one in (peer, own)]
        rows.append(f"| {name} | {own['whole']:.1%} | {' | '.join(cells)} |")
    renew_page("narrow", "depgraph", "\n".join(rows))


if __name__ == "__main__":
    main()
