"""What a technique cost: quality with labels, and without them how far the answers have moved."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.data.data import Data
from tflite_squeeze.training.divergence import Divergence
from tflite_squeeze.training.objective import objective_of
from tflite_squeeze.training.quality import predict, quality_of

Array = NDArray[Any]

_COMPARED = 1_000
_MOST_BYTES = 2**28
_Z = 1.959964  # of a two-sided interval of 95 %


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share that was counted on some examples.

    Args:
        share: of them, in [0, 1].
        count: how many there are.

    Returns:
        (low, high), in [0, 1].

    Reference: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".

    Example:
        >>> tuple(round(end, 3) for end in wilson(0.9, 50))
        (0.786, 0.957)
    """
    square = _Z**2 / count
    middle = (share + square / 2) / (1 + square)
    half = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a model does beside the one that it was made of.

    Attributes:
        quality: accuracy or loss; None without labels.
        agreement: share of examples that get the same class; None where no classes are told.
        divergence: from the answers of the model as it was.
        examples: on how many this was measured.
    """

    quality: float | None
    agreement: float | None
    divergence: float
    examples: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the accuracy, without labels of the agreement."""
        if self.agreement is None:
            return None
        share = self.agreement if self.quality is None else self.quality
        return wilson(share, self.examples)


class Judge:
    """Compares what becomes of a model with the model as it is now.

    With labels all of the validation part is measured, else up to 1,000 examples. Answers are
    compared on up to 1,000.

    Args:
        model: a Keras model of either version, before it is changed.
        data: fitted to it.

    Attributes:
        metric: "accuracy", or "loss" where lower is better.
        before: how the model itself does.
    """

    def __init__(self, model: Any, data: Data) -> None:
        self._objective = objective_of(model)
        self._sample = data.sample("validation", None if data.labelled else _COMPARED)
        self.metric = "accuracy" if self._objective.classifies else "loss"
        answers = predict(model, self._sample.inputs)
        flat = self._objective.flat(answers)
        size = sum(one.nbytes for one in flat) // self._sample.count
        few = max(1, min(_COMPARED, self._sample.count, _MOST_BYTES // max(1, size)))
        self._compared = np.arange(few) * self._sample.count // few
        self._answers = [np.array(one[self._compared]) for one in flat]
        self._divergence = Divergence(model, self._answers)
        self.before = self._of(answers)

    def verdict(self, model: Any) -> Verdict:
        """How a model does now, after one look at all examples."""
        return self._of(predict(model, self._sample.inputs))

    def _of(self, answers: Any) -> Verdict:
        found = [one[self._compared] for one in self._objective.flat(answers)]
        agreement = None
        if self._objective.classifies:
            agreement = float(np.mean(_classes(found[0]) == _classes(self._answers[0])))
        labels = self._sample.labels
        return Verdict(
            quality=None if labels is None else quality_of(self._objective, answers, labels),
            agreement=agreement,
            divergence=self._divergence.of(found),
            examples=self._sample.count if labels is not None else len(self._compared),
        )


def _classes(scores: Array) -> Array:
    """The class that each row of scores, or each probability, stands for."""
    if scores.shape[-1] == 1:
        return np.asarray(scores[:, 0] >= 0.5)
    return np.asarray(np.argmax(scores, axis=-1))
