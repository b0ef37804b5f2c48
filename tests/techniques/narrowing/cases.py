"""Tiny models, one for each kind of layer or operation that channels are followed through."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_squeeze.techniques.narrowing.channels import Channels, Group
from tflite_squeeze.techniques.narrowing.following import Role

Array = np.ndarray
IMAGE, SIGNAL, VOLUME = (6, 6, 3), (6, 3), (4, 4, 4, 2)


@dataclass(frozen=True)
class Case:
    """A model around a kind.

    Attributes:
        body: makes the output of what follows the first maker, "a", whose 8 channels it is given.
        free: the makers of each group that can be narrowed → how many units it has.
        shape: of the input.
        only: the version of Keras that has it; "" for both.
    """

    body: Callable[[Any, Any], Any]
    free: dict[str, int]
    shape: tuple[int, ...] = IMAGE
    only: str = ""


def model_of(library: Any, case: Case) -> Any:
    """Input → a → what is tested → an output of 3, with random weights everywhere."""
    layers = library.layers
    library.utils.set_random_seed(5)
    x = library.Input(case.shape, name="x")
    kind = {1: "Dense", 2: "Conv1D", 3: "Conv2D", 4: "Conv3D"}[len(case.shape)]
    options = {} if kind == "Dense" else {"kernel_size": 2, "padding": "same"}
    y = case.body(layers, getattr(layers, kind)(8, name="a", **options)(x))
    if len(y.shape) > 2:
        y = layers.Flatten(name="flat")(y)
    model = library.Model(x, layers.Dense(3, name="scores")(y), name="case")
    random = np.random.default_rng(1)
    for variable in model.variables:
        values = random.uniform(0.5, 1, variable.shape)
        if "variance" not in variable.name and "gamma" not in variable.name:
            values *= random.choice([-1, 1], variable.shape)
        if "seed" not in variable.name:
            variable.assign(values)
    return model


def examples_of(case: Case) -> Array:
    """Four random inputs."""
    return np.random.default_rng(2).normal(size=(4, *case.shape)).astype(np.float32)


def names_of(group: Group) -> str:
    """The makers of a group, as text."""
    return "+".join(layer.name for layer in group.makers)


def every_second(channels: Channels) -> Array:
    """Whether each unit stays: of each group that can be narrowed, every second."""
    stays = np.ones(len(channels.group_of), bool)
    for group in channels.groups:
        if not group.fixed:
            stays[group.units[::2]] = False
    return stays


def silence(channels: Channels, stays: Array) -> None:
    """Sets all weights to zero that make a unit that does not stay, or that it passes."""
    for layer in channels.layers.values():
        if id(layer) not in channels.axes:
            continue
        weights = layer.get_weights()
        for index, axis, units, role in channels.along(layer):
            if role is not Role.TAKES:
                moved = np.moveaxis(weights[index], axis, 0)
                moved[~stays[units]] = 0
        layer.set_weights(weights)


def _residual(layers: Any, x: Any) -> Any:
    y = layers.Conv2D(6, 3, padding="same", activation="relu", name="b")(x)
    y = layers.Conv2D(8, 1, name="c")(y)
    return layers.Add(name="add")([x, y])


def _squeeze_excite(layers: Any, x: Any) -> Any:
    y = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    y = layers.Conv2D(4, 1, activation="relu", name="b")(y)
    y = layers.Conv2D(8, 1, activation="sigmoid", name="c")(y)
    return layers.Multiply(name="times")([x, y])


def _batch_norm(layers: Any, x: Any) -> Any:
    return layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(x))


def _layer(kind: str, *arguments: Any, **options: Any) -> Callable[[Any, Any], Any]:
    return lambda layers, x: getattr(layers, kind)(*arguments, name="b", **options)(x)


CASES: dict[str, Case] = {
    "dense": Case(_layer("Dense", 6, activation="relu"), {"a": 8, "b": 6}, (5,)),
    "addition": Case(_residual, {"a+c": 8, "b": 6}),
    "squeeze-and-excite": Case(_squeeze_excite, {"a+c": 8, "b": 4}),
    "batch norm": Case(_batch_norm, {"a": 8}),
    "conv 1D dilated": Case(_layer("Conv1D", 6, 2, dilation_rate=2), {"a": 8, "b": 6}, SIGNAL),
    "conv 3D": Case(_layer("Conv3D", 6, 2, strides=2), {"a": 8, "b": 6}, VOLUME),
    "grouped conv": Case(_layer("Conv2D", 8, 2, groups=2), {"a": 4, "b": 4}),
    "conv with a group for each channel": Case(_layer("Conv2D", 16, 2, groups=8), {"a+b": 8}),
    "transposed conv": Case(_layer("Conv2DTranspose", 6, 2, strides=2), {"a": 8, "b": 6}),
    "transposed conv 1D": Case(_layer("Conv1DTranspose", 6, 2), {"a": 8, "b": 6}, SIGNAL),
    "depthwise": Case(_layer("DepthwiseConv2D", 2, depth_multiplier=2), {"a": 8}),
    "depthwise 1D": Case(_layer("DepthwiseConv1D", 2), {"a": 8}, SIGNAL),
    "separable": Case(_layer("SeparableConv2D", 6, 2, depth_multiplier=2), {"a": 8, "b": 6}),
    "separable 1D": Case(_layer("SeparableConv1D", 6, 2), {"a": 8, "b": 6}, SIGNAL),
}
