"""Networks on which min/max quantization loses: what they are, and how they are trained."""

from collections.abc import Callable
from typing import Any

import numpy as np

BATCH = 128
_HOT, _HOT_PIXEL = 2e-3, 40.0  # share of pixels of a bad sensor, and their value


def mobile(library: Any, activation: str) -> Any:
    """Inverted residual blocks as in MobileNetV2, on 28 x 28 images."""
    layers = library.layers
    x = image = library.Input((28, 28, 1), name="image")

    def active(x: Any) -> Any:
        if activation == "relu":
            return layers.ReLU()(x)
        if activation == "swish":
            return layers.Activation("swish")(x)
        # x · relu6(x + 3) / 6, as MobileNetV3 is built of layers
        gate = layers.ReLU(6.0)(layers.Rescaling(1.0, 3.0)(x))
        return layers.Multiply()([x, layers.Rescaling(1 / 6)(gate)])

    def normal(x: Any) -> Any:
        return layers.BatchNormalization()(x)

    def block(x: Any, filters: int, stride: int) -> Any:
        wide = layers.Conv2D(4 * x.shape[-1], 1, use_bias=False)(x)
        wide = active(normal(wide))
        wide = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(wide)
        wide = active(normal(wide))
        narrow = normal(layers.Conv2D(filters, 1, use_bias=False)(wide))
        return layers.Add()([x, narrow]) if stride == 1 and filters == x.shape[-1] else narrow

    x = active(normal(layers.Conv2D(12, 3, 2, padding="same", use_bias=False)(x)))
    for filters, stride in ((12, 1), (20, 2), (20, 1), (28, 1)):
        x = block(x, filters, stride)
    x = active(normal(layers.Conv2D(64, 1, use_bias=False)(x)))
    x = layers.GlobalAveragePooling2D()(x)
    return library.Model(image, layers.Dense(10, name="scores")(x), name=f"mobile_{activation}")


def unequalized(model: Any, orders: float, seed: int = 0) -> Any:
    """Scales channels in front of each depthwise convolution, and the next kernel inversely.

    Args:
        model: of `mobile` with ReLU; it is changed.
        orders: factors are 10 to the power of a number between minus this and this.
        seed: of the factors.
    """
    rng = np.random.default_rng(seed)
    names = [layer.name for layer in model.layers]
    for at, name in enumerate(names):
        if not name.startswith("depthwise"):
            continue
        before, depthwise = model.layers[at - 2], model.layers[at]
        factor = 10 ** rng.uniform(-orders, orders, depthwise.get_weights()[0].shape[2])
        for index in (0, 1):  # gamma and beta of the normalization in front
            weights = before.get_weights()
            weights[index] = weights[index] * factor
            before.set_weights(weights)
        (kernel,) = depthwise.get_weights()
        depthwise.set_weights([kernel / factor[:, np.newaxis]])
    return model


def with_hot_pixels(images: Any, seed: int) -> Any:
    """Images of a bad sensor: a few pixels are far brighter than all others."""
    hot = np.random.default_rng(seed).random(images.shape) < _HOT
    return np.where(hot, np.float32(_HOT_PIXEL), images)


Change = Callable[[Any], Any]
# By name: activation, what is done to the images, what is done to the trained network.
CASES: dict[str, tuple[str, bool, float]] = {
    "unequalized": ("relu", False, 1.0),
    "swish": ("swish", False, 0.0),
    "hard-swish": ("hard-swish", False, 0.0),
    "hot-pixels": ("relu", True, 0.0),
}


def trained(
    library: Any, case: str, data: tuple[Any, Any, Any, Any], epochs: int, seed: int
) -> tuple[Any, tuple[Any, Any, Any, Any]]:
    """A case's network and its data."""
    activation, hot, orders = CASES[case]
    x, y, x_test, y_test = data
    if hot:
        x, x_test = with_hot_pixels(x, seed), with_hot_pixels(x_test, seed + 1_000)
    library.utils.set_random_seed(seed)
    model = mobile(library, activation)
    steps = epochs * len(x) // BATCH
    rate = library.optimizers.schedules.CosineDecay(3e-3, steps)
    loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(library.optimizers.Adam(rate), loss)
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    return unequalized(model, orders, seed) if orders else model, (x, y, x_test, y_test)
