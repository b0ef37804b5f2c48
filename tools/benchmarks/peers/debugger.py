"""`--quantize mixed` beside TensorFlow's QuantizationDebugger, on networks whose int8 file fails.

The peer's recipe: statistics of each operator, and a list of those that stay in float, the worst
first. How many these are its guide leaves to the reader; here it is given the fewest with which
its file passes the check that ours has to pass, by doubling and bisection as on our side.
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from sound_models import attention, samples, table, target, trained

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.conversion.mixed.choice import shortest
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.runtime.turns import in_turns
from tflite_squeeze.tflite.signatures import float_operators
from tflite_squeeze.verification.record import Verify
from tflite_squeeze.verification.verify import verify

from .results import Row

Array = np.ndarray[Any, Any]
CALIBRATION = 256
IDS, OUTLIER = 400, 1000.0
DROP = Verify(max_drop=0.01)
MOVING = ("DEQUANTIZE", "QUANTIZE", "RESHAPE", "TRANSPOSE")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A file that is int8 but for some layers.

    Attributes:
        layers: named to stay in float.
        float_operators: that the file has, those aside that only move or store numbers.
        tflite: the file.
        passed: whether it passes the check.
    """

    layers: tuple[str, ...]
    float_operators: int
    tflite: bytes
    passed: bool


def one_hot() -> tuple[Any, Array, Array]:
    """Token ids as floats, compared with all ids."""
    generator = np.random.default_rng(0)
    x = generator.integers(0, IDS, (2048, 6)).astype(np.float32)
    y = generator.normal(size=(IDS, 3))[x.astype(int)].sum(1).argmax(-1)
    given = keras.Input((6,), name="ids")
    far = layers.Reshape((6, 1))(given) - np.arange(IDS, dtype=np.float32)
    hot = layers.ReLU(name="hot")(1.0 - abs(far))
    word = layers.Dense(16, name="word")(hot)
    hidden = layers.Dense(32, activation="relu", name="hidden")(layers.Flatten()(word))
    model = keras.Model(given, layers.Dense(3, activation="softmax", name="classes")(hidden))
    return trained(model, x, y, "sparse_categorical_crossentropy")


def boxes_beside_scores() -> tuple[Any, Array, None]:
    """Boxes in pixels and a score between 0 and 1, in one output."""
    x = table(1024)
    given = keras.Input((16,), name="x")
    hidden = layers.Dense(64, activation="relu", name="body")(given)
    hidden = layers.Dense(64, activation="relu", name="neck")(hidden)
    boxes = layers.Dense(4, name="boxes")(hidden)
    scores = layers.Dense(2, activation="sigmoid", name="scores")(hidden)
    y = target(x, 6)
    learner = keras.Model(given, layers.Concatenate()([boxes, scores]))
    trained(learner, x, np.concatenate([y[:, :4], y[:, 4:] > 0], 1), "mse", 15)
    pixels = layers.Rescaling(640.0, name="pixels")(boxes)
    return keras.Model(given, layers.Concatenate(name="join")([pixels, scores])), x, None


def thermometers() -> tuple[Any, Array, None]:
    """Eight temperatures of 300 K and a little more or less."""
    x = (300 + np.random.default_rng(0).normal(size=(1024, 8))).astype(np.float32)
    given = keras.Input((8,), name="temperature")
    hidden = layers.Rescaling(1.0, -300.0, name="about_300")(given)
    hidden = layers.Dense(32, activation="relu", name="hidden")(hidden)
    hidden = layers.Dense(64, activation="relu", name="wide")(hidden)
    model = keras.Model(given, layers.Dense(2, name="y")(hidden))
    trained(model, x, target((x - 300) / 3, 2), "mse", 15)
    return model, x, None


def outlier(activation: str) -> tuple[Any, Array, Array]:
    """A classifier of garments in which one channel is a thousand times larger than the others."""
    x, y = samples("fashion-mnist")
    given = answer = keras.Input((28, 28, 1), name="image")
    for at, filters in enumerate((16, 24, 32)):
        answer = layers.Conv2D(
            filters, 3, strides=2, padding="same", activation=activation, name=f"conv_{at}"
        )(answer)
    answer = layers.GlobalAveragePooling2D()(answer)
    model = keras.Model(given, layers.Dense(10, activation="softmax", name="classes")(answer))
    (kernel, bias), (behind, more) = (model.get_layer(f"conv_{at}").get_weights() for at in (1, 2))
    kernel[..., 0] *= OUTLIER
    behind[:, :, 0] /= OUTLIER
    model.get_layer("conv_1").set_weights([kernel, bias])
    model.get_layer("conv_2").set_weights([behind, more])
    return trained(model, x, y, "sparse_categorical_crossentropy", 12)


# What builds each, and the limits that its file has to meet.
NETWORKS: dict[str, tuple[Callable[[], tuple[Any, Array, Array | None]], Verify]] = {
    "one-hot of token ids": (one_hot, DROP),
    "boxes beside scores": (boxes_beside_scores, Verify()),
    "300 K ± 1": (thermometers, Verify(min_sqnr_db=15)),
    "swish outlier": (lambda: outlier("swish"), DROP),
    "hard-swish outlier": (lambda: outlier("hard_swish"), DROP),
    "attention, 30 dB asked": (attention, Verify(min_sqnr_db=30)),
}


def made(name: str, seed: int) -> tuple[Any, dict[str, Array]]:
    """A network, trained, and its examples: the first half to choose by, the second to judge by."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model, x, y = NETWORKS[name][0]()
    half = len(x) // 2
    data = {"x_train": x[:half], "x_test": x[half:]}
    return model, data | ({} if y is None else {"y_train": y[:half], "y_test": y[half:]})


def kept_here(model: Any, data: dict[str, Array], limits: Verify) -> tuple[Kept, bytes | None]:
    """What `--quantize mixed` leaves in float, and the size of its int8 file."""
    found = convert(model, Convert(quantize="mixed"), data, verification=limits)
    record = found.record.mixed
    assert record is not None
    names = tuple(f"{one.name} ({one.kind})" for one in record.kept)
    return kept(found.tflite, names, passed=found.record.passed), record.int8_bytes


def kept_by_peer(model: Any, data: dict[str, Array], limits: Verify) -> Kept:
    """What the debugger's recipe leaves in float: the worst operators, as few as pass."""
    debugger = debugger_of(model, data["x_train"][:CALIBRATION])
    debugger.run()
    worst = by_error(debugger)

    def file(denied: Sequence[str]) -> tuple[bytes, bool]:
        # Where nothing is quantized any more it takes the options and raises all the same.
        with contextlib.suppress(ValueError):
            debugger.options = tf.lite.experimental.QuantizationDebugOptions(
                denylisted_nodes=list(denied)
            )
        tflite = bytes(debugger.get_nondebug_quantized_model())
        return tflite, verify(model, tflite, data, limits, quantization="int8").passed

    denied = worst[: shortest(worst, lambda some: file(some)[1])]
    tflite, passed = file(denied)
    return kept(tflite, tuple(denied), passed=passed)


def debugger_of(model: Any, calibration: Array) -> Any:
    """TensorFlow's debugger, as its guide has it."""
    converter: Any = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[np.newaxis]] for one in calibration)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it saved
        return tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=converter.representative_dataset
        )


def by_error(debugger: Any) -> list[str]:
    """Names of operators' outputs, by their error in steps of their scale, the largest first."""
    written = io.StringIO()
    debugger.layer_statistics_dump(written)
    rows = np.genfromtxt(
        io.StringIO(written.getvalue()), delimiter=",", names=True, dtype=None, encoding="utf-8",
        comments=None,
    )  # fmt: skip
    steps = np.sqrt(rows["mean_squared_error"]) / rows["scale"]
    return [str(rows["tensor_name"][at]) for at in np.argsort(-steps)]


def kept(tflite: bytes, names: tuple[str, ...], *, passed: bool) -> Kept:
    """A file and what of it computes in float."""
    count = sum(one.partition(" ")[0] not in MOVING for one in float_operators(tflite))
    return Kept(layers=names, float_operators=count, tflite=tflite, passed=passed)


def both(name: str, seed: int) -> dict[str, Any]:
    """Both sides of a network, as plain values."""
    model, data = made(name, seed)
    limits = NETWORKS[name][1]
    here, int8_bytes = kept_here(model, data, limits)
    peer = kept_by_peer(model, data, limits)
    times = in_turns({"here": here.tflite, "peer": peer.tflite})
    sides = {"here": here, "peer": peer}
    return {"int8_bytes": int8_bytes} | {
        side: {
            "layers": list(one.layers),
            "float_operators": one.float_operators,
            "bytes": len(one.tflite),
            "passed": one.passed,
            "us": round(times[side], 2),
        }
        for side, one in sides.items()
    }


def fewest(network: str, *, quick: bool = False) -> Iterator[Row]:
    """Layers, float operators and bytes of the files that pass."""
    del quick  # a minute as it is
    found = both(network, seed=0)
    for measure, value in MEASURED.items():
        here, peer = (value(found[side]) for side in ("here", "peer"))
        yield Row(what=network, measure=measure, here=here, peer=peer)


MEASURED: dict[str, Callable[[dict[str, Any]], float]] = {
    "float_layers": lambda side: len(side["layers"]) if side["passed"] else np.inf,
    "float_operators": lambda side: side["float_operators"] if side["passed"] else np.inf,
    "file_bytes": lambda side: side["bytes"],
    "latency_us": lambda side: side["us"],
}
