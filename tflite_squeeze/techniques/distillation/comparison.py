"""A student beside its teachers on the validation part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tflite_squeeze.data.data import Data, Sample
from tflite_squeeze.network import flavors
from tflite_squeeze.training.objective import objective_of
from tflite_squeeze.training.quality import class_ids, predict, quality_of, validation_quality
from tflite_squeeze.training.teaching.teachers import Teacher

_COMPARED = 10_000
_BATCH = 256


class Standing(NamedTuple):
    """Where a student stands.

    Attributes:
        quality: its accuracy or loss; None without labels.
        distance: the mean distance from its teachers.
        agreement: share of examples in which it finds the teachers' class; None without classes.
    """

    quality: float | None
    distance: float
    agreement: float | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The validation part and what the teachers say of it.

    Attributes:
        data: fitted to the student.
        sample: up to 10,000 examples of the part.
        answers: by teacher, its outputs.
        together: what the teachers say of the first output, as logits or values.
        classes: whether that is one score per class.
    """

    data: Data
    sample: Sample
    answers: list[list[Any]]
    together: Any
    classes: bool

    @classmethod
    def with_teachers(
        cls, distiller: Any, data: Data, teachers: Sequence[Teacher], count: int = _COMPARED
    ) -> "Comparison":
        """Computes the teachers' answers to the validation part.

        Args:
            distiller: the student in training.
            data: fitted to the student.
            teachers: whose answers count.
            count: of examples, at most.
        """
        sample = data.sample("validation", count)
        inputs = [sample.inputs[name] for name in flavors.input_specs(distiller.student)]
        answers = [_answers(teacher, inputs) for teacher in teachers]
        together = distiller.distance.together(answers, 0)
        classes = distiller.distance.compares_classes(0) and together.shape.rank == 2
        return cls(data=data, sample=sample, answers=answers, together=together, classes=classes)

    def now(self, distiller: Any) -> Standing:
        """Where the student stands now."""
        student = distiller.student
        answers = predict(student, self.sample.inputs)
        outputs = tf.nest.flatten(answers)
        distance = self.distance(distiller, outputs)
        agreement = None
        if self.classes:
            same = tf.argmax(self.together, axis=-1) == tf.argmax(outputs[0], axis=-1)
            agreement = float(np.mean(same))
        return Standing(self._quality(student, answers), distance, agreement)

    def _quality(self, student: Any, answers: Any) -> float | None:
        """On all of the part, where that is more than what is compared."""
        count = self.data.raw.validation.count
        if self.sample.labels is None or count is None or count > self.sample.count:
            return validation_quality(student, self.data)
        return quality_of(objective_of(student), answers, self.sample.labels)

    def distance(self, distiller: Any, outputs: Sequence[Any]) -> float:
        """The mean distance of a student's answers from its teachers'."""
        tensors = [tf.convert_to_tensor(output) for output in outputs]
        return float(tf.reduce_mean(distiller.distance(self.answers, tensors)))

    def teacher_quality(self) -> float | None:
        """The accuracy of the teachers together."""
        if self.sample.labels is None or isinstance(self.sample.labels, dict) or not self.classes:
            return None
        ids = class_ids(self.sample.labels, self.together.shape[-1])
        return float(np.mean(np.argmax(self.together, axis=-1) == ids))


def _answers(teacher: Teacher, inputs: Sequence[Any]) -> list[Any]:
    """A teacher's answers to examples that may be too many for one call."""
    traced = tf.function(teacher.answer, reduce_retracing=True)
    parts = [
        traced([tf.constant(array[start : start + _BATCH]) for array in inputs])
        for start in range(0, len(inputs[0]), _BATCH)
    ]
    return [tf.concat(outputs, axis=0) for outputs in zip(*parts, strict=True)]
