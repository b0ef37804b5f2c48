"""Keras models as ONNX files: how far from the model, and from the int8 file.

    python tools/benchmarks/onnx_export.py run     # with onnxruntime; what is not measured yet
    python tools/benchmarks/onnx_export.py table

The reference models, networks of every kind and some of keras.applications, with seeded weights and
inputs. Each is exported in float, imported again, and exported with the integers of its int8 file.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import click
import keras
import numpy as np
from kept_results import KeptResults
from keras import layers, ops
from measured_table import renew_page

from tflite_squeeze import Convert, convert, export_onnx, import_model
from tflite_squeeze.errors import SqueezeError
from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.training.statistics import reestimate

RESULTS = KeptResults(__file__)
MODELS = Path(__file__).resolve().parents[2] / "models"
REFERENCE = ("lenet_300_100", "lenet_5", "mobilenet_v1_025", "resnet_8", "watch_lstm")
APPLICATIONS = {"MobileNetV2": {"alpha": 0.35}, "MobileNetV3Small": {}, "EfficientNetB0": {}}
EXAMPLES, WORDS = 64, 50
Tensor = Any


def _lstm(x: Tensor) -> Tensor:
    x = layers.LSTM(16, return_sequences=True)(x)
    return layers.Dense(3, activation="softmax")(layers.LSTM(8)(x))


def _bidirectional(x: Tensor) -> Tensor:
    return layers.Dense(3, activation="softmax")(layers.Bidirectional(layers.LSTM(8))(x))


def _gru(x: Tensor) -> Tensor:
    return layers.Dense(3)(layers.GRU(16)(x))


def _attention(x: Tensor) -> Tensor:
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 8)(y, y)])
    x = layers.Dense(32, activation="gelu")(x)
    return layers.Dense(4)(layers.GlobalAveragePooling1D()(x))


def _two_inputs(image: Tensor, more: Tensor) -> Tensor:
    image = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
    image = layers.GlobalAveragePooling2D()(image)
    x = layers.Concatenate()([image, layers.Dense(8, activation="relu")(more)])
    return [layers.Dense(3, activation="softmax")(x), layers.Dense(1)(x)]


def _nested(x: Tensor) -> Tensor:
    parts = [layers.Conv2D(8, 3, padding="same"), layers.BatchNormalization(), layers.ReLU()]
    inner = keras.Sequential([keras.Input((16, 16, 3)), *parts, layers.MaxPooling2D()])
    return layers.Dense(4)(layers.Flatten()(inner(x)))


def _operations(x: Tensor) -> Tensor:
    x = ops.mean(ops.relu(x * 2.0 - 0.5), axis=[1, 2])
    x = ops.reshape(ops.concatenate([x, ops.sigmoid(x)], -1), (-1, 2, 4))
    return ops.sum(x, 1)


def _audio(x: Tensor) -> Tensor:
    x = layers.Conv1D(8, 9, strides=4, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv1D(3, padding="same")(layers.BatchNormalization()(x))
    x = layers.SeparableConv1D(16, 3, activation="relu")(layers.MaxPooling1D(2)(x))
    x = layers.Conv1D(16, 3, padding="causal", dilation_rate=2)(x)
    return layers.Dense(5, activation="softmax")(layers.GlobalMaxPooling1D()(x))


def _u_net(x: Tensor) -> Tensor:
    def convolved(x: Tensor, filters: int, activation: str = "relu") -> Tensor:
        return layers.Conv2D(filters, 3, padding="same", activation=activation)(x)

    first = convolved(x, 8)
    second = convolved(layers.MaxPooling2D()(first), 16)
    deep = convolved(layers.MaxPooling2D()(second), 16)
    up = layers.Conv2DTranspose(16, 2, strides=2, padding="same")(deep)
    up = convolved(layers.Concatenate()([up, second]), 8, "swish")
    up = layers.UpSampling2D(2, interpolation="bilinear")(up)
    return layers.Conv2D(2, 1, activation="softmax")(layers.Concatenate()([up, first]))


def _words(x: Tensor) -> Tensor:
    x = layers.GlobalAveragePooling1D()(layers.Embedding(WORDS, 8)(x))
    return layers.Dense(3, activation="softmax")(x)


# Network → what it makes of its inputs, and their shapes; those of one axis are words.
NETWORKS: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "LSTM, two layers": (_lstm, ((20, 6),)),
    "LSTM in both directions": (_bidirectional, ((20, 6),)),
    "GRU": (_gru, ((20, 6),)),
    "attention and exact GELU": (_attention, ((12, 16),)),
    "two inputs, two outputs": (_two_inputs, ((16, 16, 3), (5,))),
    "nested model": (_nested, ((16, 16, 3),)),
    "operations in the graph": (_operations, ((8, 8, 4),)),
    "audio, one-dimensional": (_audio, ((400, 1),)),
    "U-Net": (_u_net, ((32, 32, 3),)),
    "embedding": (_words, ((10,),)),
}


def _built(name: str) -> Any:
    keras.utils.set_random_seed(0)
    if name in REFERENCE:
        return keras.models.load_model(MODELS / f"{name}.keras", compile=False)
    if name in APPLICATIONS:
        make = getattr(keras.applications, name)
        model = make(weights=None, input_shape=(64, 64, 3), classes=10, **APPLICATIONS[name])
        # With the statistics that layers begin with, so deep a network answers the same to all.
        reestimate(model, [_examples(model)[one.name] for one in model.inputs])
        return model
    function, shapes = NETWORKS[name]
    dtype = "int32" if function is _words else "float32"
    inputs = [keras.Input(shape, dtype=dtype, name=f"x{at}") for at, shape in enumerate(shapes)]
    return keras.Model(inputs, function(*inputs))


def _examples(model: Any) -> dict[str, Any]:
    random = np.random.default_rng(1)
    made = {}
    for one in model.inputs:
        shape = (EXAMPLES, *one.shape[1:])
        words = random.integers(0, WORDS, shape).astype("int32")
        made[one.name] = words if "int" in one.dtype else random.standard_normal(shape, np.float32)
    return made


@click.group()
def main() -> None:
    """Exports."""


@main.command()
def run() -> None:
    """Measures what is not measured yet."""
    for name in (*REFERENCE, *NETWORKS, *APPLICATIONS):
        if name not in RESULTS.known:
            RESULTS.keep(name, _measured(name))


def _measured(name: str) -> dict[str, Any]:
    model = _built(name)
    data = _examples(model)
    exported = export_onnx(model, data=data)
    record = exported.record
    found: dict[str, Any] = {
        "difference": max(one.largest for one in record.agreement),
        "operators": sum(record.operators.values()),
        "open": all(one.shape[0] == -1 for one in record.inputs),
    }
    with temporary_folder() as folder:
        try:
            imported = import_model(exported.save(folder / "model.onnx"))[1]
            found["imported"] = imported.largest_difference
        except SqueezeError as error:
            found["imported"] = str(error).partition(";")[0]
    try:
        # The seeded weights make poor classifiers, which the check of the file would refuse.
        tflite = convert(
            model, Convert(quantize="int8", sparsity="dense"), data, verification=None
        ).tflite
        integers = export_onnx(tflite, data=data).record
    except SqueezeError as error:
        return {**found, "int8": str(error).partition(":")[0]}
    agreement = integers.agreement
    found["int8"] = {
        "same": min(one.same or 0.0 for one in agreement),
        "mean_steps": max(one.mean_steps or 0.0 for one in agreement),
        "largest_steps": max(one.largest_steps or 0.0 for one in agreement),
        "open": all(one.shape[0] == -1 for one in integers.inputs),
    }
    return found


@main.command()
def table() -> None:
    """Renews the page's table."""
    head = ("network", "from the model", "operators", "imported again", "int8: same as .tflite",
            "mean (steps)", "largest (steps)")  # fmt: skip
    rows = ["| " + " | ".join(head) + " |", "|---|---:|---:|---|---|---:|---:|"]
    known = RESULTS.known
    for name in (one for one in (*REFERENCE, *NETWORKS, *APPLICATIONS) if one in known):
        one = known[name]
        back, int8 = one["imported"], one["int8"]
        cells = [name, f"{one['difference']:.1e}", str(one["operators"])]
        cells.append(f"{back:.1e}" if isinstance(back, float) else back)
        if isinstance(int8, str):
            cells += [int8, "", ""]
        else:
            stays = "" if int8["open"] else ", batch of 1"
            cells += [f"{int8['same']:.2%}{stays}", f"{int8['mean_steps']:.3f}",
                      f"{int8['largest_steps']:.0f}"]  # fmt: skip
        rows.append("| " + " | ".join(cells) + " |")
    renew_page("onnx", "export", "\n".join(rows))


if __name__ == "__main__":
    main()
