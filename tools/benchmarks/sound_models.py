"""Small networks that answer well, of every kind that people convert; trained in seconds.

Each is built and trained from a seed by one function: a model, inputs, labels (or what it was
trained towards). They are what the limits of `verify` are measured on, beside the reference models.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

Array = np.ndarray[Any, Any]
Sound = tuple[keras.Model, Array, Any]
SAMPLES = Path(__file__).resolve().parents[2] / "models" / "samples"
CANVAS = 48


def samples(name: str) -> tuple[Array, Array]:
    """Training and test examples of a reference data set, together."""
    with np.load(SAMPLES / f"{name}.npz") as file:
        x, y = (np.concatenate([file[f"{part}_train"], file[f"{part}_test"]]) for part in "xy")
    return x.astype(np.float32) / (255 if x.dtype == np.uint8 else 1), y.astype(np.int32)


def trained(model: keras.Model, x: Array, y: Any, loss: Any, epochs: int = 8) -> Sound:
    """Fits for a few epochs."""
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0)
    return model, x, y


def scattered(count: int = 512, seed: int = 0) -> tuple[Array, Array, Array, Array]:
    """Garments somewhere on a dark canvas: images, corners in pixels, classes, masks."""
    generator = np.random.default_rng(seed)
    x, y = samples("fashion-mnist")
    canvas = np.zeros((count, CANVAS, CANVAS, 1), np.float32)
    corners = generator.integers(0, CANVAS - 28, (count, 2))
    chosen = generator.integers(0, len(x), count)
    for at, (top, left) in enumerate(corners):
        canvas[at, top : top + 28, left : left + 28] = x[chosen[at]]
    boxes = np.concatenate([corners, corners + 28], axis=1).astype(np.float32)
    return canvas, boxes, y[chosen], (canvas > 0.2).astype(np.float32)


def table(count: int, columns: int = 16, seed: int = 0) -> Array:
    """Features without a meaning."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, columns)).astype(np.float32)


def target(x: Array, columns: int, seed: int = 1) -> Array:
    """Smooth functions of the features, of unit variance."""
    weights = np.random.default_rng(seed).normal(size=(2, x.shape[1], columns))
    y = np.tanh(x @ weights[0]) + 0.5 * np.sin(x @ weights[1])
    return ((y - y.mean(0)) / y.std(0)).astype(np.float32)


def mlp(*tail: Any, columns: int = 16) -> keras.Model:
    """Two hidden layers and whatever follows."""
    hidden = [layers.Dense(64, "relu"), layers.Dense(64, "relu")]
    return keras.Sequential([keras.Input((columns,), name="x"), *hidden, *tail])


def tanh_classifier() -> Sound:
    """A classifier with one hidden layer."""
    x, y = samples("fashion-mnist")
    head = [layers.Flatten(), layers.Dense(48, "tanh"), layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((28, 28, 1)), *head])
    return trained(model, x, y, "sparse_categorical_crossentropy")


def cnn_logits() -> Sound:
    """Convolutions with batch normalization, and logits."""
    x, y = samples("fashion-mnist")
    given = keras.Input((28, 28, 1))
    answer = given
    for filters in (8, 16, 32):
        answer = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(answer)
        answer = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(answer))
    model = keras.Model(given, layers.Dense(10)(layers.GlobalAveragePooling2D()(answer)))
    return trained(model, x, y, keras.losses.SparseCategoricalCrossentropy(from_logits=True))


def rare_classes() -> Sound:
    """Three classes, of which one hardly occurs."""
    x = table(768)
    scores = target(x, 3) + np.array([3.0, 1.5, -1.5])
    return trained(
        mlp(layers.Dense(3, "softmax")), x, scores.argmax(1), "sparse_categorical_crossentropy"
    )


def binary_classifier() -> Sound:
    """One probability."""
    x = table(512)
    y = (target(x, 1) > 1.0).astype(np.float32)
    return trained(mlp(layers.Dense(1, "sigmoid")), x, y, "binary_crossentropy")


def many_classes(classes: int) -> Sound:
    """Many classes, of which each gets a few examples."""
    generator = np.random.default_rng(0)
    y = np.arange(2 * classes) % classes
    centres = generator.normal(size=(classes, 32))
    x = (centres[y] + 0.3 * generator.normal(size=(len(y), 32))).astype(np.float32)
    model = mlp(layers.Dense(classes, "softmax"), columns=32)
    epochs = max(6, 6000 // classes)
    trained(model, x, y, "sparse_categorical_crossentropy", min(epochs, 30))
    some = generator.permutation(len(x))[:512]
    return model, x[some], y[some]


def multi_label() -> Sound:
    """Labels that exclude nothing, some of them rare."""
    x = table(512)
    y = (target(x, 24) > np.linspace(0, 2.2, 24)).astype(np.float32)
    return trained(mlp(layers.Dense(24, "sigmoid")), x, y, "binary_crossentropy", 15)


def regression(scale: Any = 1.0, offset: Any = 0.0, columns: int = 3) -> Sound:
    """Values in any unit."""
    x = table(512)
    y = target(x, columns)
    model, *_ = trained(mlp(layers.Dense(columns)), x, y, "mse", 15)
    given = keras.Input((16,), name="x")
    answer = layers.Rescaling(scale, offset)(model(given))
    return keras.Model(given, answer), x, y * scale + offset


def unit_regression() -> Sound:
    """Values between 0 and 1 that vary unlike each other."""
    x = table(512)
    y = 1 / (1 + np.exp(-target(x, 5) * np.array([2, 1, 0.5, 0.3, 0.2])))
    return trained(mlp(layers.Dense(5, "sigmoid")), x, y.astype(np.float32), "mse", 15)


def forecast() -> Sound:
    """A series, continued."""
    generator = np.random.default_rng(0)
    phase, speed = generator.uniform(0, 6, (512, 1)), generator.uniform(0.1, 0.5, (512, 1))
    wave = np.sin(phase + speed * np.arange(72)) + 0.02 * np.arange(72) * (speed - 0.3)
    x, y = wave[:, :48].astype(np.float32), wave[:, 48:].astype(np.float32)
    return trained(mlp(layers.Dense(24), columns=48), x, y, "mse", 15)


def dense_autoencoder(activation: str | None) -> Sound:
    """Digits through 16 numbers; most pixels at the edges hardly vary."""
    x, _ = samples("mnist")
    x = x.reshape(len(x), 784)
    stack = [layers.Dense(64, "relu"), layers.Dense(16), layers.Dense(64, "relu")]
    head = layers.Dense(784, activation)
    return trained(keras.Sequential([keras.Input((784,)), *stack, head]), x, x, "mse", 15)


def conv_autoencoder() -> Sound:
    """Garments through convolutions and back."""
    x, _ = samples("fashion-mnist")
    down = [layers.Conv2D(f, 3, strides=2, padding="same", activation="relu") for f in (8, 16)]
    up = [
        layers.Conv2DTranspose(f, 3, strides=2, padding="same", activation="relu") for f in (16, 8)
    ]
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), *down, *up, layers.Conv2D(1, 3, padding="same")]
    )
    return trained(model, x, x, "mse", 5)


def super_resolution() -> Sound:
    """Twice as many pixels a side."""
    x, _ = samples("fashion-mnist")
    given = keras.Input((14, 14, 1))
    answer = layers.Conv2D(16, 3, padding="same", activation="relu")(given)
    answer = layers.Conv2D(4, 3, padding="same")(answer)
    answer = layers.Conv2DTranspose(1, 2, strides=2)(answer)
    model = keras.Model(given, layers.Add()([answer, layers.UpSampling2D(2)(given)]))
    return trained(model, x.reshape(-1, 14, 2, 14, 2, 1).mean((2, 4)), x, "mse", 5)


def watch_parts() -> tuple[Array, Array]:
    """Every fourth sample of the watch data, at unit variance."""
    x, y = samples("watch")
    return (x / x.std((0, 1)))[:, ::4], y


def recurrent(*stack: Any) -> Sound:
    """A classifier of movements."""
    x, y = watch_parts()
    model = keras.Sequential([keras.Input(x.shape[1:]), *stack, layers.Dense(7, "softmax")])
    return trained(model, x, y, "sparse_categorical_crossentropy", 6)


def sequence_regression(layer: Any) -> Sound:
    """As many answers as there are steps."""
    x, _ = watch_parts()
    smooth = np.stack([x[:, max(0, t - 4) : t + 1].mean(1) for t in range(x.shape[1])], axis=1)
    model = keras.Sequential([keras.Input(x.shape[1:]), layer, layers.Dense(6)])
    return trained(model, x, smooth, "mse", 6)


def temporal_convolutions() -> Sound:
    """Dilated convolutions over time."""
    stack = [
        layers.Conv1D(24, 3, dilation_rate=d, padding="causal", activation="relu")
        for d in (1, 2, 4)
    ]
    return recurrent(*stack, layers.GlobalAveragePooling1D())


def attention() -> Sound:
    """Two blocks of a transformer."""
    x, y = watch_parts()
    given = keras.Input(x.shape[1:])
    answer = layers.Dense(32)(given)
    for _ in range(2):
        known = layers.LayerNormalization()(answer)
        answer = layers.Add()([answer, layers.MultiHeadAttention(2, 16)(known, known)])
        known = layers.Dense(48, "gelu")(layers.LayerNormalization()(answer))
        answer = layers.Add()([answer, layers.Dense(32)(known)])
    answer = layers.GlobalAveragePooling1D()(answer)
    model = keras.Model(given, layers.Dense(7, "softmax")(answer))
    return trained(model, x, y, "sparse_categorical_crossentropy", 6)


def detector(*, normalized: bool) -> Sound:
    """A garment on a canvas: where, and which."""
    x, boxes, classes, _ = scattered()
    given = keras.Input((CANVAS, CANVAS, 1))
    answer = given
    for filters in (8, 16, 32):
        answer = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(answer)
    answer = layers.Dense(64, "relu")(layers.Flatten()(answer))
    corners = layers.Dense(4)(answer)
    if not normalized:
        corners = layers.Rescaling(CANVAS)(corners)
    boxes = boxes / CANVAS if normalized else boxes
    heads = {"boxes": layers.Identity(name="boxes")(corners)}
    heads["classes"] = layers.Dense(10, "softmax", name="classes")(answer)
    loss = {"boxes": "mse", "classes": "sparse_categorical_crossentropy"}
    return trained(keras.Model(given, heads), x, {"boxes": boxes, "classes": classes}, loss, 10)


def grid_detector() -> Sound:
    """Boxes, an objectness and ten classes for each cell of a grid, all between 0 and 1."""
    x, boxes, classes, _ = scattered()
    cell = ((boxes[:, :2] + 14) // 8).astype(int)
    y = np.zeros((len(x), 6, 6, 15), np.float32)
    y[np.arange(len(x)), cell[:, 0], cell[:, 1], :4] = boxes / CANVAS
    y[np.arange(len(x)), cell[:, 0], cell[:, 1], 4] = 1
    y[np.arange(len(x)), cell[:, 0], cell[:, 1], 5 + classes] = 1
    given = keras.Input((CANVAS, CANVAS, 1))
    answer = given
    for filters, strides in ((16, 2), (32, 2), (48, 2), (48, 1)):
        answer = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(answer)
        answer = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(answer))
    cells = layers.Conv2D(15, 1, activation="sigmoid")(answer)
    model = keras.Model(given, layers.Reshape((36, 15))(cells))
    return trained(model, x, y.reshape(-1, 36, 15), "binary_crossentropy", 20)


def u_net(classes: int) -> Sound:
    """What on a canvas is garment."""
    x, _, kinds, masks = scattered(256)
    given = keras.Input((CANVAS, CANVAS, 1))
    first = layers.Conv2D(8, 3, padding="same", activation="relu")(given)
    inner = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D()(first))
    deep = layers.Conv2D(24, 3, padding="same", activation="relu")(layers.MaxPooling2D()(inner))
    up = layers.Concatenate()([layers.UpSampling2D()(deep), inner])
    up = layers.Conv2D(16, 3, padding="same", activation="relu")(up)
    up = layers.Concatenate()([layers.UpSampling2D()(up), first])
    up = layers.Conv2D(8, 3, padding="same", activation="relu")(up)
    if classes == 1:
        model = keras.Model(given, layers.Conv2D(1, 1, activation="sigmoid")(up))
        return trained(model, x, masks, "binary_crossentropy", 4)
    model = keras.Model(given, layers.Conv2D(classes, 1, activation="softmax")(up))
    labels = masks[..., 0].astype(int) * (1 + kinds[:, None, None] // 4)
    return trained(model, x, labels, "sparse_categorical_crossentropy", 4)


def heatmaps() -> Sound:
    """Where the corners are, as images."""
    x, boxes, *_ = scattered(256)
    grid = np.arange(0, CANVAS, 2)
    near = [np.exp(-((grid - boxes[:, at, None]) ** 2) / 50) for at in range(4)]
    y = np.stack([near[a][:, :, None] * near[b][:, None] for a, b in ((0, 1), (2, 3), (0, 3))], -1)
    stack = [layers.Conv2D(12, 5, padding="same", activation="relu") for _ in range(2)]
    first = layers.Conv2D(12, 5, strides=2, padding="same", activation="relu")
    model = keras.Sequential([keras.Input(x.shape[1:]), first, *stack, layers.Conv2D(3, 1)])
    return trained(model, x, y.astype(np.float32), "mse", 6)


def application(name: str, *, features: bool, **options: Any) -> Sound:
    """A network of keras.applications with random weights, trained a few steps."""
    x, y = samples("fashion-mnist")
    build = getattr(keras.applications, name)
    body = build(include_top=False, weights=None, pooling="avg", input_shape=(32, 32, 3), **options)
    head = layers.Dense(10, "softmax")(body.output)
    model = keras.Model(body.input, head)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.7
    images = np.repeat(np.pad(x[:384], ((0, 0), (2, 2), (2, 2), (0, 0))), 3, axis=-1)
    trained(model, images, y[:384], "sparse_categorical_crossentropy", 5)
    return (body, images, None) if features else (model, images, y[:384])


def normalized_embedding() -> Sound:
    """Vectors of length 1."""
    model, x, _ = tanh_classifier()
    given = answer = keras.Input((28, 28, 1))
    for layer in (*model.layers[:-1], layers.Dense(32), layers.UnitNormalization()):
        answer = layer(answer)
    return keras.Model(given, answer), x, None


def residual_tokens() -> Sound:
    """The sequence that an encoder puts out, in which a few channels are large."""
    model, x, _ = attention()
    inner = [one for one in model.layers if isinstance(one, layers.Add)][-1]
    return keras.Model(model.input, inner.output), x, None


def text_embedding() -> Sound:
    """Tokens through an embedding."""
    generator = np.random.default_rng(0)
    x = generator.integers(0, 50, (512, 12)).astype(np.int32)
    y = (x < 10).sum(1).clip(0, 4)
    stack = [layers.Embedding(50, 16), layers.Conv1D(16, 3, activation="relu")]
    head = [layers.GlobalMaxPooling1D(), layers.Dense(5, "softmax")]
    model = keras.Sequential([keras.Input((12,), dtype="int32"), *stack, *head])
    return trained(model, x, y, "sparse_categorical_crossentropy", 10)


MODELS: dict[str, Callable[[], Sound]] = {
    "MLP, tanh": tanh_classifier,
    "CNN, logits": cnn_logits,
    "3 classes, one rare": rare_classes,
    "yes or no": binary_classifier,
    "50 classes": lambda: many_classes(50),
    "200 classes": lambda: many_classes(200),
    "1000 classes": lambda: many_classes(1000),
    "24 labels, some rare": multi_label,
    "3 values": regression,
    "3 values, 300 ± 30": lambda: regression(30.0, 300.0),
    "5 values in 0..1": unit_regression,
    "24 steps ahead": forecast,
    "autoencoder, 784 sigmoids": lambda: dense_autoencoder("sigmoid"),
    "autoencoder, 784 linear": lambda: dense_autoencoder(None),
    "autoencoder, convolutions": conv_autoencoder,
    "super resolution": super_resolution,
    "LSTM": lambda: recurrent(layers.LSTM(24)),
    "LSTM, sequence out": lambda: sequence_regression(layers.LSTM(24, return_sequences=True)),
    "bidirectional LSTM, two": lambda: recurrent(
        layers.Bidirectional(layers.LSTM(12, return_sequences=True)),
        layers.Bidirectional(layers.LSTM(12)),
    ),
    "GRU": lambda: recurrent(layers.GRU(16)),
    "GRU, sequence out": lambda: sequence_regression(layers.GRU(16, return_sequences=True)),
    "temporal convolutions": temporal_convolutions,
    "attention": attention,
    "attention, tokens out": residual_tokens,
    "text": text_embedding,
    "detector, boxes in pixels": lambda: detector(normalized=False),
    "detector, boxes in 0..1": lambda: detector(normalized=True),
    "detector, 36 cells": grid_detector,
    "U-Net, mask": lambda: u_net(1),
    "U-Net, 4 classes": lambda: u_net(4),
    "heat maps": heatmaps,
    "MobileNetV2": lambda: application("MobileNetV2", alpha=0.35, features=False),
    "MobileNetV2, features": lambda: application("MobileNetV2", alpha=0.35, features=True),
    "unit vectors": normalized_embedding,
}
