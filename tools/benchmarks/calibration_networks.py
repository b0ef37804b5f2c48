"""Networks on which min/max quantization loses: what they are, and how they are trained."""

from dataclasses import dataclass
from typing import Any

import numpy as np

BATCH = 128
_GLITCH, _BRIGHT = 2e-5, 40.0  # share of pixels of a sensor that fail, and their value


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network in a situation.

    Attributes:
        activation: of the network.
        orders: channels in front of depthwise convolutions are scaled by 10 to the power of a
            number between minus this and this.
        glitches: whether a few pixels of all images, also of the samples, are far too bright.
    """

    activation: str
    orders: float = 0.0
    glitches: bool = False


CASES = {
    "plain": Case(activation="relu"),
    "unequal channels": Case(activation="relu", orders=1.0),
    "outliers": Case(activation="relu", glitches=True),
    "swish": Case(activation="swish"),
    "hard-swish": Case(activation="hard-swish"),
}


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


def trained(library: Any, activation: str, x: Any, y: Any, seed: int) -> Any:
    """A network after one epoch."""
    library.utils.set_random_seed(seed)
    model = mobile(library, activation)
    rate = library.optimizers.schedules.CosineDecay(3e-3, len(x) // BATCH)
    loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(library.optimizers.Adam(rate), loss)
    model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
    return model


def unequalized(model: Any, orders: float, seed: int) -> None:
    """Scales channels in front of each depthwise convolution, and the next kernel inversely.

    Args:
        model: of `mobile` with ReLU; it is changed, and computes the same.
        orders: as in `Case`.
        seed: of the factors.
    """
    rng = np.random.default_rng(seed)
    for at, depthwise in enumerate(model.layers):
        if type(depthwise).__name__ != "DepthwiseConv2D":
            continue
        normalization = model.layers[at - 2]
        (kernel,) = depthwise.get_weights()
        factor = 10 ** rng.uniform(-orders, orders, kernel.shape[2])
        gamma, beta, *statistics = normalization.get_weights()
        normalization.set_weights([gamma * factor, beta * factor, *statistics])
        depthwise.set_weights([kernel / factor[:, np.newaxis]])


def with_glitches(images: Any, seed: int) -> Any:
    """Images of a sensor of which a few pixels fail."""
    failed = np.random.default_rng(seed).random(images.shape) < _GLITCH
    return np.where(failed, np.float32(_BRIGHT), images)
