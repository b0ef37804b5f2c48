"""The statistics of batch normalization, estimated again after the weights before it changed.

Pruned, shared or quantized weights give a layer other means and variances than those that its
batch normalization has kept. They are measured on samples, in the order of the data: each layer
sees what those before it answer with their new statistics. No labels and no gradients are needed.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.data.data import Data, Sample
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.observing import observed
from tflite_squeeze.training.divergence import Divergence
from tflite_squeeze.training.objective import objective_of
from tflite_squeeze.training.quality import metric_name, quality_of

Array = NDArray[Any]

_KINDS = ("BatchNormalization", "BatchNormalizationBase")
# A channel that is nearly constant on the samples is not scaled up without limit on other inputs.
_SMALLEST = 1e-4
_SAMPLES, _HELD_BACK = 512, 1000
_BATCH, _FEWEST, _MOST_BYTES = 250, 8, 2**29


def reestimate(model: Any, batches: Iterable[Any]) -> int:
    """Estimates the statistics of all batch normalizations of a model again, in place.

    One pass, run eagerly in inference mode: each layer takes the mean and variance of all inputs
    that it has seen in this pass, sets them, and answers with them. One batch of all samples is
    therefore exact; with several, the first ones are normalized by fewer samples. Weights,
    `trainable`, `momentum` and an adapted `Normalization` stay as they are.

    Args:
        model: a Keras model of either version.
        batches: inputs as the model takes them, of any number of examples.

    Returns:
        How many layers have new statistics; those that were not called keep theirs, as do those
        that a wrapper of Keras 3 calls while it traces.

    Raises:
        UsageError: there are no batches.

    Reference: Wu and Johnson 2021, arXiv:2105.07576, section 3 (population statistics).

    Example:
        >>> reestimate(model, [x_train[:512]])
        9
    """
    moments = {id(layer): _Moments(layer) for layer in normalizations(model)}
    if not moments:
        return 0
    empty = True
    with _measured(model, moments):
        for inputs in batches:
            empty = False
            model(inputs, training=False)
    if empty:
        raise UsageError("statistics cannot be estimated on no samples: pass one batch or more")
    return sum(one.count > 0 for one in moments.values())


def normalizations(model: Any) -> list[Any]:
    """The batch normalizations inside a model, each once, nested and wrapped ones among them."""
    return [
        layer
        for layer in flavors.walk_layers(model)
        if any(kind.__name__ in _KINDS for kind in type(layer).__mro__) and layer.built
    ]


def statistics_of(model: Any) -> list[tuple[Array, Array]]:
    """(mean, variance) of each batch normalization, in the order of `normalizations`."""
    return [
        (np.array(layer.moving_mean), np.array(layer.moving_variance))
        for layer in normalizations(model)
    ]


def set_statistics(model: Any, statistics: Iterable[tuple[Array, Array]]) -> None:
    """Gives each batch normalization the statistics that `statistics_of` returned."""
    for layer, (mean, variance) in zip(normalizations(model), statistics, strict=True):
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(variance)


class _Moments:
    """Mean and variance of all inputs of one layer so far."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._shape = tuple(layer.moving_mean.shape)
        self._least = _SMALLEST * np.asarray(layer.moving_variance, np.float64)
        self.count = 0.0
        self._mean = np.zeros(self._shape)
        self._variance = np.zeros(self._shape)

    def add(self, inputs: Any, mask: Any, *, wrapped: int = 0) -> None:
        """Takes inputs in, and sets the layer's statistics to those of all inputs so far.

        Args:
            inputs: of any shape, channels in the layer's axis.
            mask: which positions count, or None for all.
            wrapped: how many axes a wrapper has put before the layer's own.
        """
        rank = len(inputs.shape)
        given = [self._layer.axis] if isinstance(self._layer.axis, int) else self._layer.axis
        channels = {axis % rank if axis < 0 else axis + wrapped for axis in given}
        others = [axis for axis in range(rank) if axis not in channels]
        values = tf.cast(inputs, tf.float32)
        if mask is None:
            count = float(np.prod([values.shape[axis] for axis in others]))
            mean, variance = tf.nn.moments(values, others)
        else:
            shape = [*mask.shape, *[1] * (rank - len(mask.shape))]
            weights = tf.reshape(tf.cast(mask, tf.float32), shape) * tf.ones_like(values)
            count = float(tf.reduce_max(tf.reduce_sum(weights, others)))
            mean, variance = tf.nn.weighted_moments(values, others, weights)
        if count:
            self._join(count, *(np.reshape(one, self._shape) for one in (mean, variance)))

    def _join(self, count: float, mean: Array, variance: Array) -> None:
        """Combines (count, mean, variance) of two sets (Chan et al. 1983)."""
        share = count / (self.count + count)
        apart = mean.astype(np.float64) - self._mean
        self._variance += share * (variance - self._variance) + share * (1 - share) * apart**2
        self._mean += share * apart
        self.count += count
        self._layer.moving_mean.assign(self._mean)
        self._layer.moving_variance.assign(np.maximum(self._variance, self._least))


@contextmanager
def _measured(model: Any, moments: dict[int, _Moments]) -> Iterator[None]:
    """Tells each layer's moments of what it is given, before it answers, for the block."""
    places = {key: (one, 0) for key, one in moments.items()}
    for layer in flavors.walk_layers(model):
        inside = id(getattr(layer, "layer", None))
        if type(layer).__name__ == "TimeDistributed" and inside in moments:
            # It calls the layer once a step, which would see some of the inputs at a time.
            places[id(layer)] = moments[inside], 1
            places.pop(inside, None)
    with ExitStack() as stack:
        for layer in flavors.walk_layers(model):
            if id(layer) in places:
                stack.enter_context(_telling(layer, *places[id(layer)]))
        yield


@contextmanager
def _telling(layer: Any, moments: _Moments, wrapped: int) -> Iterator[None]:
    original = layer.call

    def call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if not tf.is_symbolic_tensor(inputs):
            moments.add(inputs, kwargs.get("mask"), wrapped=wrapped)
        return original(inputs, *args, **kwargs)

    # Past what a Keras does to attributes of layers.
    object.__setattr__(layer, "call", call)
    try:
        yield
    finally:
        object.__delattr__(layer, "call")


@dataclass(frozen=True, kw_only=True)
class Reestimation:
    """What came of estimating a model's statistics again.

    Attributes:
        layers: how many batch normalizations got new statistics.
        samples: on how many samples.
        measure: "accuracy", or "loss" or "divergence" where lower is better.
        before: on held-back samples, with the old statistics.
        after: with the new ones.
    """

    layers: int
    samples: int
    measure: str
    before: float
    after: float

    @property
    def kept(self) -> bool:
        """Whether the model has the new statistics: only where they are better."""
        better = self.after - self.before
        return better > 0 if self.measure == "accuracy" else better < 0

    @property
    def note(self) -> str:
        """One line for the record."""
        plural = "s" if self.layers > 1 else ""
        said = f"statistics of {self.layers} normalisation layer{plural} estimated again on"
        form = ".1%" if self.measure == "accuracy" else ".3g"
        change = f"{self.measure} {self.before:{form}} → {self.after:{form}}"
        kept = "" if self.kept else ", not kept"
        return f"{said} {self.samples} samples{kept}: {change}"


class Settling:
    """Estimates statistics again, and keeps those that are better on held-back samples.

    Made before the model is changed. With labels, the accuracy (or the loss) decides; without, the
    divergence from what the model answered before. Samples for estimating are those of the
    training or calibration part; where accuracy is measured on the same part, every second one.

    Args:
        model: as it is before it is changed.
        data: fitted to it.

    Example:
        >>> settling = Settling(model, data)
        >>> pruned = prune(model, Prune(sparsity=0.7)).model
        >>> settling.settle(pruned).note
        'statistics of 9 normalisation layers estimated again on 512 samples: accuracy …'
    """

    def __init__(self, model: Any, data: Data) -> None:
        self._data = data
        # Not read for models that have nothing to estimate.
        told = bool(normalizations(model)) and not data.labelled
        self._divergence = (
            Divergence(model, tf.nest.flatten(_answers(model, self._parts[1].inputs)))
            if told
            else None
        )

    @cached_property
    def _parts(self) -> tuple[Sample, Sample]:
        """Samples to estimate on, and held-back ones."""
        data = self._data
        if data.raw.calibration is not data.raw.validation:
            return data.sample("calibration", _SAMPLES), data.sample("validation", _HELD_BACK)
        both = data.sample("validation", 2 * _SAMPLES)
        return _every_second(both, 0), _every_second(both, min(1, both.count - 1))

    def settle(self, model: Any) -> Reestimation | None:
        """Settles a model in place; None where it has no batch normalization that is called.

        Args:
            model: with the same inputs and outputs as the one before.
        """
        old = statistics_of(model)
        if not old or (self._divergence is None and not self._data.labelled):
            return None
        samples, before = self._parts[0], self._quality(model)
        layers = reestimate(model, _batches(model, samples.inputs, _at_once(model, samples.inputs)))
        if not layers:
            return None
        done = Reestimation(
            layers=layers,
            samples=samples.count,
            measure="divergence" if self._divergence is not None else metric_name(model),
            before=before,
            after=self._quality(model),
        )
        if not done.kept:
            set_statistics(model, old)
        return done

    def _quality(self, model: Any) -> float:
        answers = _answers(model, self._parts[1].inputs)
        if self._divergence is None:
            return quality_of(objective_of(model), answers, self._parts[1].labels)
        return self._divergence.of(tf.nest.flatten(answers))


def _every_second(sample: Sample, first: int) -> Sample:
    inputs, labels = tf.nest.map_structure(
        lambda array: None if array is None else array[first::2], (sample.inputs, sample.labels)
    )
    return Sample(inputs=inputs, labels=labels)


def _answers(model: Any, inputs: dict[str, Array]) -> Any:
    """What a model answers, run eagerly: tracing a new model takes longer than a few batches."""
    found = [model(some, training=False) for some in _batches(model, inputs, _BATCH)]
    return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *found)


def _batches(model: Any, inputs: dict[str, Array], batch: int) -> Iterator[Any]:
    count = len(next(iter(inputs.values())))
    for start in range(0, count, batch):
        some = {name: values[start : start + batch] for name, values in inputs.items()}
        yield tf.nest.map_structure(tf.convert_to_tensor, flavors.arranged(model, some))


def _at_once(model: Any, inputs: dict[str, Array]) -> int:
    """How many samples fit into memory with all that the layers answer."""
    answered = 0

    def count(_layer: Any, _inputs: Any, outputs: Any) -> None:
        nonlocal answered
        tensors = [one for one in tf.nest.flatten(outputs) if tf.is_tensor(one)]
        answered += sum(int(tf.size(one)) for one in tensors)

    with observed(flavors.walk_layers(model), count):
        model(next(_batches(model, inputs, 1)), training=False)
    return max(_FEWEST, min(_SAMPLES, _MOST_BYTES // (4 * max(1, answered))))
