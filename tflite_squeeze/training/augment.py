"""Augmentation: examples are shifted, mirrored, mixed or made noisy, batch by batch.

It changes what the model takes, before any preprocessing layers inside the model, and keeps its
dtype and range.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tflite_squeeze.data.data import Data
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.training.objective import objective_of
from tflite_squeeze.training.parts import uses_labels

Inputs = dict[str, Any]

# The largest shift, as a fraction of the side of an image or of the length of a signal.
_IMAGE_REACH, _TIME_REACH = 1 / 8, 1 / 10
_NOISE = 0.1  # of the standard deviation of the data
_ALPHA = 0.2  # of the beta distribution that shares are drawn from
_SAMPLES = 256
_MOVING = ("shift", "flip", "time-shift")
# The layers of Keras that do the same inside a model.
_INSIDE = {
    "RandomFlip": "flip", "RandomTranslation": "shift", "RandomCrop": "shift",
    "GaussianNoise": "noise", "RandomGaussianNoise": "noise", "MixUp": "mixup",
}  # fmt: skip
_NEEDS = {
    "shift": "an image of (height, width, channels)",
    "flip": "an image of (height, width, channels)",
    "time-shift": "a signal of (time, channels)",
    "noise": "numbers, not ids",
    "mixup": "numbers, not ids",
}
# Ranks of an example that say what it is, and those where the user has to.
_RANKS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "shift": ((3,), (2,)), "flip": ((3,), (2,)), "time-shift": ((2,), (1, 3)),
}  # fmt: skip


def shifted(values: Any, amounts: Any, axis: int) -> Any:
    """Each example moved along an axis; what comes in repeats the edge.

    Args:
        values: (N, ...).
        amounts: (N,) places to move by, positive towards higher positions.
        axis: of a batch, from 1.

    Example:
        >>> shifted(np.array([[1, 2, 3]]), np.array([1]), 1)
        [[1, 1, 2]]
    """
    size = tf.shape(values)[axis]
    places = tf.clip_by_value(tf.range(size)[None, :] - amounts[:, None], 0, size - 1)
    moved = tf.experimental.numpy.moveaxis(values, axis, 1)
    return tf.experimental.numpy.moveaxis(tf.gather(moved, places, batch_dims=1), 1, axis)


def flipped(values: Any, chosen: Any) -> Any:
    """Mirrors some images left to right.

    Args:
        values: (N, height, width, ...).
        chosen: (N,) whether to mirror each.
    """
    each = tf.reshape(chosen, [-1, *[1] * (len(values.shape) - 1)])
    return tf.where(each, tf.reverse(values, [2]), values)


def mixed(values: Any, shares: Any) -> Any:
    """Mixes each example with the one before it; the first with the last.

    Args:
        values: (N, ...), inputs or soft labels.
        shares: (N,) of the example itself, in [0, 1].

    Returns:
        Integers stay such, rounded.

    Reference: Zhang et al. 2018, arXiv:1710.09412, equation 1.

    Example:
        >>> mixed(np.array([[0.0], [8.0]]), np.array([0.75, 0.5]))
        [[2.0], [4.0]]
    """
    numbers = tf.cast(values, tf.float32)
    each = tf.reshape(tf.cast(shares, tf.float32), [-1, *[1] * (len(values.shape) - 1)])
    return _as_before(each * numbers + (1 - each) * tf.roll(numbers, 1, axis=0), values)


def noisy(values: Any, noise: Any, limits: tuple[float, float] | None) -> Any:
    """Adds noise.

    Args:
        values: (N, ...).
        noise: of the same shape.
        limits: the least and the largest value of integers, or None for floating point.
    """
    numbers = tf.cast(values, tf.float32) + noise
    if limits is not None:
        numbers = tf.clip_by_value(numbers, *limits)
    return _as_before(numbers, values)


def _as_before(numbers: Any, values: Any) -> Any:
    dtype = values.dtype if tf.is_tensor(values) else tf.as_dtype(values.dtype)
    return tf.saturate_cast(tf.round(numbers) if dtype.is_integer else numbers, dtype)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The values of one input in the data: their standard deviation, least and largest."""

    std: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What is done to each batch.

    Attributes:
        changes: (kind, names of the inputs), in the order in which they are applied.
        spreads: of the inputs that get noise.
        notes: what was asked for and is not done, with the reason.
    """

    changes: tuple[tuple[str, tuple[str, ...]], ...]
    spreads: Mapping[str, Spread]
    notes: tuple[str, ...] = ()

    @property
    def mixes(self) -> bool:
        """Whether labels are mixed too, so that the loss has to take soft ones."""
        return any(kind == "mixup" for kind, _ in self.changes)

    def __call__(self, inputs: Inputs, labels: Any, seed: Any) -> tuple[Inputs, Any]:
        """Changes a batch.

        Args:
            inputs: (N, ...) by name.
            labels: in the form that the losses take, or None.
            seed: a number; equal ones give equal batches.
        """
        inputs = dict(inputs)
        for number, (kind, names) in enumerate(self.changes):
            drawn = tf.stack([tf.cast(seed, tf.int64), tf.constant(number, tf.int64)])
            if kind == "mixup":
                inputs, labels = _mixed_examples(inputs, names, labels, drawn)
                continue
            for name in names:
                inputs[name] = self._changed(kind, name, inputs[name], drawn)
        return inputs, labels

    def _changed(self, kind: str, name: str, values: Any, seed: Any) -> Any:
        count = tf.shape(values)[0]
        if kind == "flip":
            return flipped(values, tf.random.stateless_uniform([count], seed) < 0.5)
        if kind == "noise":
            spread = self.spreads[name]
            noise = tf.random.stateless_normal(tf.shape(values), seed) * _NOISE * spread.std
            limits = (spread.low, spread.high) if values.dtype.is_integer else None
            return noisy(values, noise, limits)
        axes, reach = ((1,), _TIME_REACH) if kind == "time-shift" else ((1, 2), _IMAGE_REACH)
        for axis in axes:
            most = tf.cast(tf.cast(tf.shape(values)[axis], tf.float32) * reach, tf.int32)
            most = tf.maximum(1, most)
            amounts = tf.random.stateless_uniform(
                [count], _another(seed, axis), -most, most + 1, tf.int32
            )
            values = shifted(values, amounts, axis)
        return values


def _another(seed: Any, which: int) -> Any:
    """A seed for one of several draws of a change."""
    return tf.stack([seed[0], seed[1] + 100 * which])


def _mixed_examples(
    inputs: Inputs, names: Sequence[str], labels: Any, seed: Any
) -> tuple[Inputs, Any]:
    """Inputs and labels mixed by the same shares, of which an example's own is the larger."""
    count = tf.shape(inputs[names[0]])[0]
    first, second = (
        tf.random.stateless_gamma([count], _another(seed, which), _ALPHA) for which in (1, 2)
    )
    share = first / tf.maximum(first + second, 1e-30)
    share = tf.maximum(share, 1 - share)
    changed = {name: mixed(inputs[name], share) for name in names}

    def soft(one: Any) -> Any:
        return mixed(tf.cast(one, tf.float32), share)

    return inputs | changed, None if labels is None else tf.nest.map_structure(soft, labels)


def augmentation_of(names: Sequence[str], model: Any, data: Data) -> Augmentation | None:
    """The augmentation that a config asks for, once it is known to fit the model and the data.

    Args:
        names: kinds, each of `config.AUGMENTATIONS`, or kind:input.
        model: the Keras model that is trained.
        data: fitted to it.

    Returns:
        None where nothing is asked for.

    Raises:
        UsageError: a kind does not fit the inputs, the labels or the loss.
    """
    if not names:
        return None
    inside = {_INSIDE.get(type(layer).__name__) for layer in flavors.walk_layers(model)}
    specs = flavors.input_specs(model)
    changes, notes = [], []
    for asked in names:
        kind, _, name = asked.partition(":")
        chosen = _fitting(kind, name, specs)
        if kind in inside:
            notes.append(f"augment {kind!r} is left to the layer of the model that does the same")
        else:
            changes.append((kind, chosen))
    if uses_labels(data):
        _check_labels(changes, model)
    noised = [name for kind, chosen in changes if kind == "noise" for name in chosen]
    return Augmentation(changes=tuple(changes), spreads=_spreads(data, noised), notes=tuple(notes))


def suits(names: Sequence[str], model: Any, data: Data) -> bool:
    """Whether an augmentation that nobody asked for fits a model and its data.

    Args:
        names: as in `augmentation_of`.
        model: the Keras model that is trained.
        data: fitted to it.
    """
    try:
        augmentation_of(names, model, data)
    except UsageError:
        return False
    return True


def _fitting(kind: str, name: str, specs: Mapping[str, Any]) -> tuple[str, ...]:
    """The inputs that a kind of augmentation is applied to: one at least."""
    if name and name not in specs:
        raise UsageError(
            f"augment {kind}:{name} names no input of the model: use one of {', '.join(specs)}"
        )
    if kind == "mixup" and name:
        raise UsageError(f"augment {kind}:{name} names an input, but mixup mixes whole examples")
    found = [each for each in ([name] if name else specs) if _fits(kind, specs[each], bool(name))]
    against = [each for each in ([name] if name else specs) if each not in found]
    if not found or (kind == "mixup" and against):
        odd = against[0]
        shape, dtype = tuple(specs[odd].shape[1:]), specs[odd].dtype.name
        said = f"augment {kind!r} needs {_NEEDS[kind]}, but input {odd!r} is {dtype} {shape}"
        possible = not name and _fits(kind, specs[odd], True)
        remedy = f"say {kind}:{odd} if it is meant" if possible else f"leave {kind} out"
        raise UsageError(f"{said}: {remedy}")
    return tuple(found)


def _fits(kind: str, spec: Any, named: bool) -> bool:
    """Whether an input is what a kind of augmentation is for."""
    shape = spec.shape[1:]
    rank = len(shape)
    if kind in _RANKS:
        itself, said = _RANKS[kind]
        first = rank == 3 and shape[0] in (1, 3) and (shape[-1] or 0) > 4
        return rank in (itself + said if named else itself) and (kind == "time-shift" or not first)
    whole = spec.dtype.is_integer
    return rank > 0 and (spec.dtype.is_floating or (whole and (rank == 3 or spec.dtype.size < 4)))


def _check_labels(changes: Sequence[tuple[str, Any]], model: Any) -> None:
    """Refuses what would part examples from their labels."""
    objective = objective_of(model)
    moving = next((kind for kind, _ in changes if kind in _MOVING), None)
    placed = next((goal for goal in objective.goals if len(goal.shape) > 2), None)
    if moving and placed is not None:
        raise UsageError(
            f"augment {moving!r} would move the inputs but not the labels of output "
            f"{placed.output!r}, which has one for each position: augment both in a tf.data "
            f"pipeline of your own"
        )
    if any(kind == "mixup" for kind, _ in changes):
        objective.of_soft_labels(flavors.keras_of(flavors.known_flavor(model)))


def _spreads(data: Data, names: Sequence[str]) -> dict[str, Spread]:
    if not names:
        return {}
    sample = data.sample("calibration" if data.train is None else "train", _SAMPLES)
    return {
        name: Spread(
            std=float(np.std(sample.inputs[name], dtype=np.float64)),
            low=float(np.min(sample.inputs[name])),
            high=float(np.max(sample.inputs[name])),
        )
        for name in names
    }
