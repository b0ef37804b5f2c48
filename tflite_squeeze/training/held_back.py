"""How bad a model in training is, on examples that it is not trained on where there are any."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.data.data import Data, Sample
from tflite_squeeze.network.flavors import input_specs
from tflite_squeeze.training.divergence import Divergence
from tflite_squeeze.training.objective import Objective, objective_of
from tflite_squeeze.training.parts import training_part
from tflite_squeeze.training.quality import predict, quality_of, right_answers

Array = NDArray[Any]

LOOKED_AT = 1_000
# Of small examples more, since looks at 1,000 of one state differ by chance as much as states do.
_MOST_LOOKED_AT, _MOST_BYTES = 5_000, 2**25
# With fewer, the best of several states is the luckiest one.
_FEWEST = 100


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one look at a model found.

    Attributes:
        badness: one number, lower for better models.
        wrong: (N,) which examples a classifier got wrong; None of other models and without labels.
    """

    badness: float
    wrong: Array | None = None

    def clearly_worse_than(self, other: "Seen") -> bool:
        """Whether it is worse by more than a standard error of the difference.

        Without examples that are right or wrong, any difference is clear.

        Reference: Breiman et al. 1984, "Classification and Regression Trees", the rule of one
        standard error.

        Example:
            >>> half = Seen(badness=0.5, wrong=np.array([True, True, False, False]))
            >>> quarter = Seen(badness=0.25, wrong=np.array([True, False, False, False]))
            >>> half.clearly_worse_than(quarter)
            False
        """
        if self.wrong is None or other.wrong is None:
            return self.badness > other.badness
        difference = self.wrong.astype(float) - other.wrong
        error = float(np.std(difference)) / np.sqrt(len(difference))
        return bool(self.badness - other.badness > error)


class HeldBack:
    """Measures a model in training by one number, which is lower for better models.

    With labels it is 1 - accuracy of a classifier, or the loss of another model; without, what the
    teacher says of it.

    Args:
        model: whose inputs and outputs count.
        data: fitted to it.
        taught: how far answers by output are from those of a teacher to the inputs of `sample_of`,
            where there are no labels.

    Attributes:
        count: how many examples are looked at.
        decides: whether they may choose between states: there are enough, and they are not
            trained on.
        measure: "accuracy", "loss" or "divergence".
    """

    def __init__(
        self, model: Any, data: Data, taught: Callable[[Sequence[Array]], float] | None = None
    ) -> None:
        self._model = model
        self._objective: Objective = objective_of(model)
        self._sample = sample_of(data)
        self._taught = None if self._sample.labels is not None else taught
        self.count = self._sample.count
        self.decides = is_held_back(data) and self.count >= _FEWEST
        self.measure = "divergence"
        if self._sample.labels is not None:
            self.measure = "accuracy" if self._objective.classifies else "loss"

    def badness(self, trained: Any) -> float:
        """How bad a model is now; infinite where it answers with what is no number.

        Args:
            trained: the model, or one that has it inside.
        """
        return self.look(trained).badness

    def look(self, trained: Any) -> Seen:
        """How bad a model is now, and on which examples.

        Args:
            trained: the model, or one that has it inside.
        """
        return self._of(predict(trained, self._sample.inputs, like=self._model))

    def badness_of_chance(self, trained: Any) -> float:
        """How bad a model would be that gives one answer to all examples: its mean answer."""
        answers = predict(trained, self._sample.inputs, like=self._model)
        same = tf.nest.map_structure(
            lambda one: np.broadcast_to(np.mean(one, 0, keepdims=True), one.shape), answers
        )
        return self._of(same).badness

    def _of(self, answers: Any) -> Seen:
        flat = self._objective.flat(answers)
        if not all(np.isfinite(one).all() for one in flat):
            return Seen(badness=float("inf"))
        if self._sample.labels is None:
            return Seen(badness=0.0 if self._taught is None else self._taught(flat))
        if self.measure == "loss":
            return Seen(badness=quality_of(self._objective, answers, self._sample.labels))
        wrong = ~right_answers(self._objective, answers, self._sample.labels)
        return Seen(badness=float(np.mean(wrong)), wrong=wrong)

    def text(self, badness: float) -> str:
        """What is told of it: "accuracy 91.2%"."""
        if self.measure == "accuracy":
            return f"accuracy {1 - badness:.1%}"
        return f"{self.measure} {badness:.3g}"


def is_held_back(data: Data) -> bool:
    """Whether the validation part is none of what is trained on."""
    return data.raw.validation is not training_part(data)[1]


def sample_of(data: Data) -> Sample:
    """The examples that are looked at while a model is trained: up to 5,000 of the validation.

    Of examples that take more than 32 MiB together, up to 1,000.
    """
    one = data.sample("validation", 1)
    size = max(1, sum(array.nbytes for array in one.inputs.values()))
    return data.sample("validation", int(np.clip(_MOST_BYTES // size, LOOKED_AT, _MOST_LOOKED_AT)))


def far_from(original: Any, model: Any, data: Data) -> Callable[[Sequence[Array]], float]:
    """How far answers are from those of a model as it is now, to the inputs of `sample_of`.

    Args:
        original: a Keras model of either version.
        model: what it became; its inputs may have other names.
        data: fitted to that one.
    """
    arrays = sample_of(data).inputs
    given = [arrays[name] for name in input_specs(model)]
    answers = predict(original, dict(zip(input_specs(original), given, strict=True)))
    return Divergence(original, objective_of(original).flat(answers)).of
