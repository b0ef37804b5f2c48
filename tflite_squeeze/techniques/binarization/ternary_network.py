"""A network that computes with binary or ternary weights, and trains the ones behind them."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from tflite_squeeze.network import flavors
from tflite_squeeze.network.observing import replaced
from tflite_squeeze.network.weights import Target
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.techniques.binarization.ternary import (
    mean_scale,
    signs,
    straight_through,
    trained_values,
)


class _TernaryNetwork:
    """What is trained: the model inside, called with the values that its weights stand for.

    Args:
        model: a built Keras model.
        targets: the weights.
        config: how.
    """

    def __init__(self, model: Any, targets: Sequence[Target], config: Binarize) -> None:
        super().__init__(name="ternary")  # type: ignore[call-arg]
        self.inner = model
        self._config = config
        # A plain tuple in __dict__: a Keras would track the layers and variables inside.
        self.__dict__["_targets"] = tuple(targets)
        self._scales = [self._scale(*pair) for pair in enumerate(targets)]

    def _scale(self, number: int, target: Target) -> Any:
        if self._config.scale != "trained":
            return None
        weights = tf.convert_to_tensor(target.variable)
        start = mean_scale(weights, self._codes(target, weights), self._axes(target)).numpy()
        variable = self.add_weight(  # type: ignore[attr-defined]
            name=f"scale_{number}", shape=start.shape, dtype="float32", initializer="ones"
        )
        variable.assign(start)
        return variable

    def _axes(self, target: Target) -> list[int]:
        return shared_axes(target, per_channel=self._config.per_channel)

    def _codes(self, target: Target, weights: Any) -> Any:
        config = self._config
        return signs(weights, config.weights, self._axes(target), config.cut, config.scale)

    def _values(self, target: Target, scale: Any) -> Any:
        weights = tf.convert_to_tensor(target.variable)
        codes = self._codes(target, weights)
        if scale is not None:
            return trained_values(weights, codes, tf.convert_to_tensor(scale))
        means = mean_scale(weights, codes, self._axes(target))
        return straight_through(weights, tf.stop_gradient(codes * means))

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Calls the model with the values in place of its weights."""
        targets = self._targets  # type: ignore[attr-defined]
        values = [self._values(*pair) for pair in zip(targets, self._scales, strict=True)]
        with replaced(targets, values):
            return self.inner(inputs, training=training)

    def write_values(self) -> None:
        """Writes the values into the model's own weights: they are then exactly -s, 0 and s."""
        for target, scale in zip(self._targets, self._scales, strict=True):  # type: ignore[attr-defined]
            weights = tf.convert_to_tensor(target.variable)
            codes = self._codes(target, weights)
            factor = mean_scale(weights, codes, self._axes(target)) if scale is None else scale
            target.variable.assign(codes.numpy() * np.asarray(factor))


def shared_axes(target: Target, *, per_channel: bool) -> list[int]:
    """The axes of a weight that have one scale."""
    rank = len(target.shape)
    outputs = [axis % rank for axis in target.output_axes] if per_channel else []
    return [axis for axis in range(rank) if axis not in outputs]


@cache
def _network_class(flavor: flavors.Flavor) -> type:
    return type("TernaryNetwork", (_TernaryNetwork, flavors.keras_of(flavor).Model), {})


def ternary_network(model: Any, targets: Sequence[Target], config: Binarize) -> Any:
    """A model that computes with binary or ternary values of weights, for the same Keras."""
    return _network_class(flavors.known_flavor(model))(model, targets, config)
