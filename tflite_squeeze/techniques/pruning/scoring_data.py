"""The samples that Taylor's and Wanda's scores are taken on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.weights import Target
from tflite_squeeze.techniques.pruning.scores import gradients_of, input_norms
from tflite_squeeze.training.finetune import loss_of
from tflite_squeeze.training.label_form import label_form

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class ScoringData:
    """Some batches in memory, as the model takes them.

    Attributes:
        inputs: batches of inputs.
        labels: batches of labels; empty without any.
    """

    inputs: tuple[Any, ...]
    labels: tuple[Any, ...] = ()

    @staticmethod
    def needed(data: "ScoringData | None", score: str) -> "ScoringData":
        """The data, or an error that says that the score cannot do without.

        Raises:
            UsageError: there is none.
        """
        if data is None:
            raise UsageError(f"score {score!r} is taken on samples: pass data")
        return data

    def gradients(self, model: Any, targets: Sequence[Target]) -> list[Array]:
        """Mean gradients of the loss by weight."""
        if not self.labels:
            raise UsageError("score 'taylor' takes gradients of a loss: pass labelled data")
        loss = loss_of(model)
        if not callable(loss):
            raise UsageError("score 'taylor' takes a model with one loss: compile it with one")

        taken = label_form(model)

        def mean_loss(labels: Any, outputs: Any) -> Any:
            return tf.reduce_mean(loss(taken(labels), outputs))

        pairs = zip(self.inputs, self.labels, strict=True)
        return gradients_of(model, targets, pairs, mean_loss)

    def norms(self, model: Any, targets: Sequence[Target]) -> dict[str, Array]:
        """Norms of the inputs of each weight."""
        return input_norms(model, targets, self.inputs)

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
