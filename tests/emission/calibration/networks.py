"""Networks for calibration, each as small as what it shows."""

from typing import Any

import numpy as np

from tests import tiny_models


@tiny_models.seeded
def unequal(library: Any, activation: str = "relu", orders: float = 5.0) -> Any:
    """Convolution → depthwise → pointwise → Dense behind a Flatten, channels scaled at random."""
    layers = library.layers
    x = image = library.Input((8, 8, 2), name="image")
    x = layers.Conv2D(6, 3, padding="same", activation=activation, name="conv")(x)
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="depthwise")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.Conv2D(4, 1, name="point")(x)
    x = layers.LeakyReLU(name="leaky")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Flatten(name="flat")(x)
    model = library.Model(image, layers.Dense(3, name="scores")(x), name="unequal")
    rng = np.random.default_rng(0)
    for name in ("conv", "depthwise", "point"):
        layer = model.get_layer(name)
        kernel, bias = layer.get_weights()
        kernel = kernel * np.exp2(rng.uniform(-orders, orders, kernel.shape[-1:]))
        if name == "depthwise":
            kernel = kernel * np.exp2(rng.uniform(-orders, orders, (kernel.shape[-2], 1)))
        layer.set_weights([kernel, rng.normal(size=bias.shape)])
    return model


def images(count: int = 16, seed: int = 0) -> dict[str, Any]:
    """Samples for `unequal`: mixtures of a few pictures, as photographs are of few things."""
    pictures = tiny_models.examples(6, 8 * 8 * 2, seed=99)
    mixed = tiny_models.examples(count, 6, seed=seed) @ pictures
    noise = 0.1 * tiny_models.examples(count, 8 * 8 * 2, seed=seed + 1)
    return {"image": (mixed + noise).reshape(count, 8, 8, 2)}
