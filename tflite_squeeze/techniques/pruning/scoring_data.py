"""What scores need besides the weights: gradients of the loss, and norms of inputs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network import variables as keras_variables
from tflite_squeeze.network.observing import observed
from tflite_squeeze.network.weights import Target
from tflite_squeeze.training.objective import objective_of

Array = NDArray[Any]


def gradients_of(
    model: Any,
    targets: Iterable[Target],
    batches: Iterable[tuple[Any, Any]],
    loss: Callable[[Any, Any], Any],
) -> list[Array]:
    """The mean magnitude of the gradient of the loss with respect to each weight.

    Magnitudes are averaged over batches, since gradients of either sign cancel at a minimum.

    Args:
        model: the model, run in inference mode.
        targets: the weights.
        batches: (inputs, labels) as the model takes them.
        loss: (labels, outputs) → scalar.
    """
    variables = [keras_variables.raw_variable(target.variable) for target in targets]
    sums = [np.zeros(tuple(variable.shape), np.float64) for variable in variables]
    count = 0
    for inputs, labels in batches:
        with tf.GradientTape() as tape:
            value = loss(labels, model(inputs, training=False))
        gradients = tape.gradient(value, variables)
        for total, gradient in zip(sums, gradients, strict=True):
            if gradient is not None:
                total += np.abs(tf.convert_to_tensor(gradient).numpy())
        count += 1
    if not count:
        raise InputError("gradients need labelled data: pass data with labels")
    return [total / count for total in sums]


def input_norms(model: Any, targets: Iterable[Target], batches: Iterable[Any]) -> dict[str, Array]:
    """The norm of each input of each weight's matrix, over the samples.

    Args:
        model: the model, run eagerly in inference mode.
        targets: the weights.
        batches: inputs as the model takes them.

    Returns:
        (inputs,) by target name. For convolutions the taps of the kernel see the same channel, and
        share its norm; weights whose inputs are not seen (recurrent ones) get norm 1.
    """
    targets = list(targets)
    squares: dict[int, Array] = {}

    def add(layer: Any, received: Any, _: Any) -> None:
        if len(received.shape) > 1:
            flat = np.asarray(received, np.float64).reshape(-1, received.shape[-1])
            squares[id(layer)] = squares.get(id(layer), 0.0) + np.square(flat).sum(axis=0)

    with observed((target.layer for target in targets), add):
        seen = False
        for inputs in batches:
            seen = True
            model(inputs, training=False)
    if not seen:
        raise InputError("norms of inputs need samples: pass data")
    return {target.name: _along_inputs(target, squares.get(id(target.layer))) for target in targets}


def _sees_inputs(target: Target) -> bool:
    """Whether a weight's columns multiply the values that its layer is called with.

    The ids of an Embedding are no such values; each row of a depthwise kernel sees one channel,
    which changes nothing within the row; other weights see what is inside the layer.
    """
    name = target.name.rpartition("/")[2].partition("#")[0]
    return name == "kernel" and "Depthwise" not in target.layer_type


def _along_inputs(target: Target, squares: Array | None) -> Array:
    """Norms laid along the inputs of the weight's matrix."""
    columns = target.matrix_shape[1]
    if squares is None or not _sees_inputs(target) or columns % len(squares):
        return np.ones(columns)
    # The innermost input axis is the channel, so norms repeat tap by tap.
    return np.tile(np.sqrt(squares), columns // len(squares))


@dataclass(frozen=True, kw_only=True)
class ScoringData:
    """Some batches in memory, as the model takes them.

    Attributes:
        inputs: batches of inputs.
        labels: batches of labels; empty without any.
    """

    inputs: tuple[Any, ...]
    labels: tuple[Any, ...] = ()

    def gradients(self, model: Any, targets: Sequence[Target], score: str) -> list[Array]:
        """Mean gradients of the loss for each weight, in matrix form.

        Args:
            model: the model, with one loss.
            targets: the weights.
            score: the name of the score, for messages.
        """
        if not self.labels:
            raise UsageError(f"score {score!r} needs gradients of a loss: pass labelled data")
        pairs = zip(self.inputs, self.labels, strict=True)
        gradients = gradients_of(model, targets, pairs, objective_of(model).loss)
        return [t.matrix(gradient) for t, gradient in zip(targets, gradients, strict=True)]

    def norms(self, model: Any, targets: Sequence[Target]) -> list[Array]:
        """Norms of the inputs of each weight."""
        norms = input_norms(model, targets, self.inputs)
        return [norms[target.name] for target in targets]

    @classmethod
    def from_arrays(cls, inputs: Any, labels: Any = None, *, batch: int = 64) -> "ScoringData":
        """Cuts arrays (or a structure of arrays, as the model takes them) into batches.

        Args:
            inputs: arrays of (N, ...).
            labels: arrays of (N, ...), or None.
            batch: examples per batch.
        """

        def cut(values: Any) -> tuple[Any, ...]:
            count = len(tf.nest.flatten(values)[0])
            return tuple(
                tf.nest.map_structure(lambda a, s=start: np.asarray(a[s : s + batch]), values)
                for start in range(0, count, batch)
            )

        return cls(inputs=cut(inputs), labels=() if labels is None else cut(labels))
