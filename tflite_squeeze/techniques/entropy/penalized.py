"""A network that computes with weights on integer grids, and adds their price to its loss."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.observing import place_of, replaceable, replaced
from tflite_squeeze.network.quantization.kept import has_zeros
from tflite_squeeze.network.skipped import why_skipped
from tflite_squeeze.network.weights import Selection, Target, select
from tflite_squeeze.techniques.entropy.config import EntropyPenalty
from tflite_squeeze.techniques.entropy.grid import bfloat16, emptied, first_step
from tflite_squeeze.techniques.entropy.rate import (
    COMPONENTS,
    LARGEST,
    group_length,
    rate_of,
    rounded,
    with_gradients,
)

Array = NDArray[Any]

# Training steps from one computation of the rate's gradients to the next.
_EVERY = 8
# Of a price that is found: the part of the training after which the rate has its target, by how
# much its logarithm moves in a training whose rate is off by a factor of e, and its bounds.
_ON_TARGET, _STEERING, _PRICES = 0.6, 40.0, (-12.0, 4.0)
_NATS = 8 * float(np.log(2))  # of a byte
# Of the logarithms of the scales, in steps.
_FIRST_SCALES = [-1.5, 0.5, 2.0]


def selected(model: Any, config: EntropyPenalty) -> Selection:
    """The weights of a model that get a grid and a price: kernels, and the biases of their layers.

    Args:
        model: a built Keras model.
        config: which.

    Raises:
        UsageError: there is none.
    """
    selection = replaceable(select(model, only=config.only, protect=config.protect))
    if not selection.targets:
        reasons = why_skipped(selection.skipped)
        raise UsageError(f"no weight of model {model.name!r} can have a price ({reasons})")
    if config.biases:
        biases = tuple(_biases_of(selection.targets))
        selection = replace(selection, targets=(*selection.targets, *biases))
    return selection


def _biases_of(kernels: Iterable[Target]) -> Iterable[Target]:
    layers = {id(target.layer): target for target in reversed(tuple(kernels))}
    for target in reversed(layers.values()):
        holder = getattr(target.layer, "cell", target.layer)
        variable = getattr(holder, "bias", None)
        if variable is None:
            continue
        shape = tuple(int(size) for size in variable.shape)
        stem, _, number = target.name.rpartition("/")[2].partition("#")
        name = target.name.removesuffix(f"{stem}#{number}" if number else stem)
        bias = replace(
            target, name=f"{name}bias#{number}" if number else f"{name}bias",
            variable=variable, shape=shape, output_axes=(-1,),
        )  # fmt: skip
        if place_of(bias) is not None:
            yield bias


class _PenalizedNetwork:
    """What is trained: the model inside, its weights rounded to multiples of steps, and the steps.

    Weights are replaced by rounded ones only while the model is called, so there are no layer
    types of its own, and models of any build can be trained.

    Args:
        model: a built Keras model.
        targets: the weights that get a price.
        config: how.
        examples: to train on, which the price is shared among.
        steps: of the whole training.
    """

    def __init__(
        self,
        model: Any,
        targets: Sequence[Target],
        config: EntropyPenalty,
        *,
        examples: int,
        steps: int,
    ) -> None:
        super().__init__(name="penalized")  # type: ignore[call-arg]
        self.inner = model
        self._config, self._examples, self._steps = config, examples, max(1, steps)
        # A plain tuple in __dict__: a Keras would track the layers and variables inside.
        self.__dict__["_targets"] = tuple(targets)
        masks = [_mask(target) for target in targets]
        self.__dict__["_masks"] = masks
        first = [_first_step(target, config) for target in targets]
        self._log_steps = [
            self._variable(f"log_step_{number}", np.log(step)) for number, step in enumerate(first)
        ]
        scales, logits = np.array(_FIRST_SCALES, np.float32), np.zeros(COMPONENTS, np.float32)
        self._log_scales = [self._variable(f"log_scales_{n}", scales) for n in range(len(targets))]
        self._logits = [self._variable(f"logits_{n}", logits) for n in range(len(targets))]
        self._count = self._variable("count", np.float32(0), trainable=False)
        self._log_price = self._variable("log_price", np.log(config.price), trainable=False)
        self._first_nats = self._variable("first_nats", np.float32(0), trainable=False)
        self._ratio = self._variable("ratio", np.float32(1), trainable=False)
        self.__dict__["_emptied"] = None
        # Of each weight the rate, and its gradients for the weight, the step and the mixture.
        self._rates = [
            [
                self._variable(f"rate_{n}_{at}", np.zeros(shape), trainable=False)
                for at, shape in enumerate(
                    ((), target.shape, step.shape, (COMPONENTS,), (COMPONENTS,))
                )
            ]
            for n, (target, step) in enumerate(zip(targets, first, strict=True))
        ]

    def _variable(self, name: str, values: Any, *, trainable: bool = True) -> Any:
        values = np.asarray(values, np.float32)
        made = self.add_weight(  # type: ignore[attr-defined]
            name=name, shape=values.shape, dtype="float32", trainable=trainable,
            initializer="zeros",
        )  # fmt: skip
        made.assign(values)
        return made

    @property
    def targets(self) -> tuple[Target, ...]:
        """The weights that have a price."""
        found: tuple[Target, ...] = self.__dict__["_targets"]
        return found

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Calls the model with rounded weights, and adds the price of their bytes to the loss."""
        if training:
            self._count.assign(tf.convert_to_tensor(self._count) + 1.0)
        kept = self._kept_weights()
        log_steps = [tf.convert_to_tensor(one) for one in self._log_steps]
        if training:
            self.add_loss(self._price(kept, log_steps))  # type: ignore[attr-defined]
        with replaced(self.targets, list(map(rounded, kept, log_steps))):
            return self.inner(inputs, training=training)

    def _kept_weights(self) -> list[Any]:
        """The weights in float32, without those that earlier steps made zero."""
        found = []
        for target, mask in zip(self.targets, self.__dict__["_masks"], strict=True):
            weight = tf.cast(tf.convert_to_tensor(target.variable), tf.float32)
            found.append(weight if mask is None else weight * mask)
        return found

    def _price(self, kept: list[Any], log_steps: list[Any]) -> Any:
        config = self._config
        count = tf.cast(tf.convert_to_tensor(self._count), tf.int32)
        mixtures = [
            (tf.convert_to_tensor(scales), tf.convert_to_tensor(logits))
            for scales, logits in zip(self._log_scales, self._logits, strict=True)
        ]
        arguments = [
            (weights, log_step, *mixture)
            for weights, log_step, mixture in zip(kept, log_steps, mixtures, strict=True)
        ]
        # The gradients of the rate change far more slowly than the weights they act on.
        tf.cond(count % _EVERY == 1 % _EVERY, lambda: self._renew(arguments, count), lambda: 0)
        known = [[tf.convert_to_tensor(one) for one in rate] for rate in self._rates]
        nats = tf.add_n(
            [
                with_gradients(total, gradients, given)
                for (total, *gradients), given in zip(known, arguments, strict=True)
            ]
        )
        if config.group:
            nats += config.group * tf.add_n(self._group_lengths(kept, log_steps))
        return tf.exp(tf.convert_to_tensor(self._log_price)) * self._rise() * nats / self._examples

    def _rise(self) -> Any:
        """How much of the price there is yet; one that is found starts low itself."""
        if self._config.target_bytes is not None:
            return 1.0
        ramp = max(1.0, self._config.ramp * self._steps)
        return tf.minimum(1.0, tf.convert_to_tensor(self._count) / ramp)

    def _renew(self, arguments: list[Any], count: Any) -> Any:
        total = 0.0
        for given, rate in zip(arguments, self._rates, strict=True):
            weights, log_step, scales, logits = given
            nats, gradients = rate_of(weights, log_step, scales, logits, count)
            total += nats
            for variable, value in zip(rate, (nats, *gradients), strict=True):
                variable.assign(value)
        if self._config.target_bytes is not None:
            self._steer(total * tf.convert_to_tensor(self._ratio), self._config.target_bytes)
        return 0

    def _steer(self, nats: Any, target_bytes: int) -> None:
        """Moves the price so that the rate goes the way to its target."""
        first, count = map(tf.convert_to_tensor, (self._first_nats, self._count))
        first = tf.where(first > 0, first, nats)
        self._first_nats.assign(first)
        way = tf.minimum(1.0, count / (_ON_TARGET * self._steps))
        wanted = (1 - way) * tf.math.log(first) + way * float(np.log(target_bytes * _NATS))
        off = tf.clip_by_value(tf.math.log(nats) - wanted, -1.0, 1.0)
        # What became zero hardly returns, so a price that is too high is the worse mistake.
        off = tf.where(off < 0, 3 * off, off)
        moved = tf.convert_to_tensor(self._log_price) + _STEERING * _EVERY / self._steps * off
        self._log_price.assign(tf.clip_by_value(moved, *_PRICES))

    def _group_lengths(self, kept: list[Any], log_steps: list[Any]) -> list[Any]:
        return [
            group_length(weights / tf.exp(log_step), target.output_axes)
            for target, weights, log_step in zip(self.targets, kept, log_steps, strict=True)
            if len(target.shape) > 1
        ]

    @property
    def penalty(self) -> float:
        """λ as it is now."""
        return float(np.exp(np.asarray(self._log_price)) * np.asarray(self._rise()))

    def counted(self, code_bytes: float) -> None:
        """Learns how many bytes there are, which the estimate of the rate is off by a little."""
        nats = sum(float(np.asarray(rate[0])) for rate in self._rates)
        if nats > 0 and code_bytes > 0:
            self._ratio.assign(np.clip(code_bytes * _NATS / nats, 0.5, 2.0))

    def steps(self) -> list[Array]:
        """The step of each weight as a file will have it, in a shape that the weight's extends."""
        return [bfloat16(np.exp(np.asarray(one))) for one in self._log_steps]

    def integers(self) -> list[Array]:
        """The integers of each weight, of its shape; as they were written, if they were."""
        emptied: list[Array] | None = self.__dict__["_emptied"]
        if emptied is not None:
            return emptied
        return [np.rint(one).astype(np.int8) for one in self._scaled()]

    def _scaled(self) -> list[Array]:
        return [
            np.clip(np.asarray(weight) / np.exp(np.asarray(step)), -LARGEST, LARGEST)
            for weight, step in zip(self._kept_weights(), self._log_steps, strict=True)
        ]

    def write(self) -> int:
        """Makes the model's own weights the rounded ones, and meets a target by what is nearest.

        Returns:
            How many weights of one step became zero to meet it.
        """
        integers, count = self.integers(), 0
        if self._config.target_bytes is not None:
            integers, count = emptied(integers, self._scaled(), self._config.target_bytes)
        self.__dict__["_emptied"] = integers
        for target, values, step in zip(self.targets, integers, self.steps(), strict=True):
            target.variable.assign(values * step)
        return count


def _mask(target: Target) -> Any:
    """1 where a weight may be other than 0; None for one without zeros."""
    values = np.asarray(target.variable)
    return tf.constant(values != 0, tf.float32) if has_zeros(values) else None


def _first_step(target: Target, config: EntropyPenalty) -> Array:
    rank = len(target.shape)
    per_channel = config.per_channel and rank > 1
    kept = {axis % rank for axis in target.output_axes} if per_channel else set()
    others = tuple(axis for axis in range(rank) if axis not in kept)
    return first_step(np.asarray(target.variable, np.float32), others)


@cache
def _network_class(flavor: flavors.Flavor) -> type:
    return type("PenalizedNetwork", (_PenalizedNetwork, flavors.keras_of(flavor).Model), {})


def penalized_network(model: Any, targets: Sequence[Target], *how: Any, **options: Any) -> Any:
    """Puts a price on weights of a model, as a Keras model of the same version of Keras.

    Args:
        model: a built Keras model.
        targets: the weights.
        how: the config.
        options: examples and steps.
    """
    return _network_class(flavors.known_flavor(model))(model, targets, *how, **options)
