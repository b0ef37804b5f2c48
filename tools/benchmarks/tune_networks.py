"""Networks that nothing here was built on, and what they are tuned with; trained from seeds.

Each function gives a trained model, the data that a user would have, and examples that the search
never sees, on which what it loses is measured once more.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers
from sound_models import MODELS as SOUND
from sound_models import trained

from tflite_squeeze.data.data import load_data

Array = np.ndarray[Any, Any]
FEW = 500


class Task(NamedTuple):
    """A model, its data, and (inputs, labels) that are kept from the search."""

    model: Any
    data: Any
    unseen: tuple[Any, Any] | None = None


def parts_of(name: str) -> dict[str, tuple[Array, Array]]:
    """The parts of a data set, as the reference models take it."""
    data = load_data(name)
    found = {}
    for part in ("train", "validation"):
        sample = data.sample(part, None)
        (x,) = sample.inputs.values()
        found[part] = np.asarray(x), np.asarray(sample.labels)
    return found


def residual(filters: tuple[int, ...], classes: int, shape: tuple[int, ...]) -> Any:
    """A small residual network."""
    given = answer = keras.Input(shape)
    for at, width in enumerate(filters):
        stride = 1 if at == 0 else 2
        short = layers.Conv2D(width, 1, stride, use_bias=False)(answer)
        for step in (stride, 1):
            answer = layers.Conv2D(width, 3, step, padding="same", use_bias=False)(answer)
            answer = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(answer))
        answer = answer + short  # an operation in the graph, not a layer
    answer = layers.Dense(classes, "softmax")(layers.GlobalAveragePooling2D()(answer))
    return keras.Model(given, answer)


def few_images() -> Task:
    """Trained on 500 labelled garments; 500 more to validate; the other test images unseen."""
    parts = parts_of("fashion-mnist")
    (x, y), (u, v) = parts["train"], parts["validation"]
    model = residual((16, 32, 64), 10, (28, 28, 1))
    trained(model, x[:FEW], y[:FEW], "sparse_categorical_crossentropy", 40)
    data = {"train": (x[:FEW], y[:FEW]), "validation": (u[:FEW], v[:FEW])}
    return Task(model, data, (u[FEW:], v[FEW:]))


def few_movements() -> Task:
    """Trained on 500 labelled movements."""
    (x, y), (u, v) = parts_of("watch").values()
    order = np.random.default_rng(0).permutation(len(x))[:FEW]
    given = answer = keras.Input(x.shape[1:])
    for width in (32, 48, 64):
        answer = layers.Conv1D(width, 5, 2, padding="same", use_bias=False)(answer)
        answer = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(answer))
    answer = layers.Dense(7, "softmax")(layers.GlobalAveragePooling1D()(answer))
    model = keras.Model(given, answer)
    trained(model, x[order], y[order], "sparse_categorical_crossentropy", 40)
    return Task(model, {"train": (x[order], y[order]), "validation": (u[:FEW], v[:FEW])},
                (u[FEW:], v[FEW:]))  # fmt: skip


def unlabelled() -> Task:
    """A well-trained network of which 500 images are left, without labels."""
    parts = parts_of("fashion-mnist")
    (x, y), (u, v) = parts["train"], parts["validation"]
    model = residual((16, 32, 64), 10, (28, 28, 1))
    trained(model, x[:20000], y[:20000], "sparse_categorical_crossentropy", 4)
    return Task(model, x[20000 : 20000 + FEW], (u, v))


def pictures(count: int, size: int, seed: int) -> tuple[Array, Array]:
    """Discs, squares, rings, stripes and crosses in any colour and place, on noise."""
    generator = np.random.default_rng(seed)
    grid = np.mgrid[:size, :size].astype(np.float32)
    x = generator.uniform(0, 90, (count, size, size, 3)).astype(np.float32)
    y = generator.integers(0, 5, count)
    for at, kind in enumerate(y):
        centre = generator.uniform(0.3, 0.7, 2) * size
        radius = generator.uniform(0.12, 0.28) * size
        down, across = grid[0] - centre[0], grid[1] - centre[1]
        far, edge = np.hypot(down, across), np.maximum(abs(down), abs(across))
        shapes = (
            far < radius,
            edge < radius,
            (far < radius) & (far > 0.6 * radius),
            (edge < radius) & (down % (radius / 2) < radius / 4),
            (edge < radius) & (np.minimum(abs(down), abs(across)) < radius / 3),
        )
        x[at][shapes[kind]] = generator.uniform(100, 255, 3) + generator.normal(0, 10, 3)
    return np.clip(x, 0, 255), y


def nested_mobilenet() -> Task:
    """MobileNetV2-0.35 of 96 x 96 pixels as one layer, as transfer learning leaves it."""
    x, y = pictures(1600, 96, 0)
    body = keras.applications.MobileNetV2(
        include_top=False, weights=None, alpha=0.35, input_shape=(96, 96, 3)
    )
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9
    given = keras.Input((96, 96, 3))
    answer = body(layers.Rescaling(1 / 127.5, -1)(given))
    answer = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(answer))
    model = keras.Model(given, layers.Dense(5, "softmax")(answer))
    trained(model, x[:1000], y[:1000], "sparse_categorical_crossentropy", 12)
    data = {"train": (x[:800], y[:800]), "validation": (x[800:1000], y[800:1000])}
    return Task(model, data, (x[1000:], y[1000:]))


def already_tiny() -> Task:
    """Sixteen numbers, eight units, three classes."""
    x = np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32)
    y = (x @ np.random.default_rng(1).normal(size=(16, 3))).argmax(1)
    hidden = layers.Dense(8, "relu")
    model = keras.Sequential([keras.Input((16,)), hidden, layers.Dense(3, "softmax")])
    trained(model, x, y, "sparse_categorical_crossentropy", 20)
    return Task(model, (x, y))


def two_inputs() -> Task:
    """An image and numbers, with operations in the graph."""
    (x, y), (u, v) = parts_of("fashion-mnist").values()
    picture, numbers = keras.Input((28, 28, 1), name="picture"), keras.Input((4,), name="numbers")
    answer = picture
    for width in (16, 32):
        answer = layers.Conv2D(width, 3, 2, padding="same", activation="relu")(answer)
    answer = layers.Dense(48, "relu")(layers.Flatten()(answer))
    gate = layers.Dense(48, "sigmoid")(numbers)
    model = keras.Model([picture, numbers], layers.Dense(10, "softmax")(answer * gate + 0.1))

    def with_numbers(images: Array) -> dict[str, Array]:
        means = [
            images[:, a : a + 14, b : b + 14].mean((1, 2, 3)) for a in (0, 14) for b in (0, 14)
        ]
        return {"picture": images, "numbers": np.stack(means, 1).astype(np.float32)}

    first, rest = with_numbers(x[:4000]), with_numbers(u)
    trained(model, first, y[:4000], "sparse_categorical_crossentropy", 6)
    return Task(model, (first, y[:4000]), (rest, v))


def _sound(name: str) -> Callable[[], Task]:
    def built() -> Task:
        model, x, y = SOUND[name]()
        return Task(model, x if y is None else (x, y))

    return built


NETWORKS: dict[str, Callable[[], Task]] = {
    "few_images": few_images,
    "few_movements": few_movements,
    "unlabelled": unlabelled,
    "nested_mobilenet": nested_mobilenet,
    "already_tiny": already_tiny,
    "two_inputs": two_inputs,
    "u_net": _sound("U-Net, 4 classes"),
    "attention": _sound("attention"),
    "temporal_convolutions": _sound("temporal convolutions"),
    "gru": _sound("GRU"),
    "bidirectional_lstm": _sound("bidirectional LSTM, two"),
    "detector": _sound("detector, boxes in 0..1"),
    "grid_detector": _sound("detector, 36 cells"),
    "autoencoder": _sound("autoencoder, convolutions"),
    "forecast": _sound("24 steps ahead"),
    "labels": _sound("24 labels, some rare"),
    "mobilenet_v2": _sound("MobileNetV2"),
    "text": _sound("text"),
}
