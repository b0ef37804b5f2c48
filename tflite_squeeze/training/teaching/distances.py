"""The distance that a configuration asks for, between raw outputs of teachers and a student."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tflite_squeeze.data.raw_data import shape_text
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.training.config import Distill, OutputKind, custom_distance
from tflite_squeeze.training.teaching import losses as distill_losses
from tflite_squeeze.training.teaching.output_kinds import as_logits, family
from tflite_squeeze.training.teaching.teachers import Teacher

# What each distance can compare.
_FAMILIES = {
    "kl": ("classes", "labels", "values"),
    "mse": ("classes", "labels", "values"),
    "cosine": ("classes", "values"),
    "dkd": ("classes",),
    "dist": ("classes",),
}


class OutputDistance:
    """How far a student's outputs are from those of its teachers.

    Args:
        config: which distance.
        teachers: one or more; the logits of several are averaged, each centred: the normalised
            geometric mean of their distributions.
        kinds: what each output of the student is.
        shapes: of each output of the student, batch axis first.

    Raises:
        InputError: a teacher's outputs do not fit the student's.
        UsageError: the distance does not compare such outputs.
    """

    def __init__(
        self,
        config: Distill,
        teachers: Sequence[Teacher],
        kinds: Sequence[OutputKind],
    ) -> None:
        self._config = config
        self._teachers = tuple(teachers)
        self.kinds = tuple(kinds)
        self._distances = [self._function(family(kind)) for kind in kinds]
        for teacher in teachers:
            _check_kinds(teacher, kinds)

    def _function(self, group: str) -> Callable[..., Any]:
        config = self._config
        own = custom_distance(config)
        if own is not None:
            return lambda teacher, student, _: own(teacher, student)
        name = str(config.distance)
        if group not in _FAMILIES[name]:
            possible = [other for other, groups in _FAMILIES.items() if group in groups]
            what = {"labels": "the probabilities of single labels", "values": "plain numbers"}
            raise UsageError(
                f"distance {name!r} does not compare {what[group]}: use {' or '.join(possible)}"
            )
        if name == "kl" and group == "values":
            return lambda teacher, student, _: distill_losses.kl_of_values(teacher, student)
        heat = config.temperature
        known: dict[str, Callable[..., Any]] = {
            "kl": lambda teacher, student, _: distill_losses.kl(teacher, student, heat),
            "mse": lambda teacher, student, _: distill_losses.mse(teacher, student),
            "cosine": lambda teacher, student, _: distill_losses.cosine(teacher, student),
            "dkd": lambda teacher, student, classes: distill_losses.dkd(
                teacher, student, heat, alpha=config.dkd_alpha, beta=config.dkd_beta,
                classes=classes,
            ),
            "dist": lambda teacher, student, _: distill_losses.dist(
                teacher, student, heat, inter=config.dist_inter, intra=config.dist_intra
            ),
        }  # fmt: skip
        return known[name]

    def __call__(
        self, answers: Sequence[Sequence[Any]], outputs: Sequence[Any], labels: Any = None
    ) -> Any:
        """The distance of each example, all outputs together.

        Args:
            answers: by teacher, its outputs.
            outputs: of the student.
            labels: class ids or one-hot rows of the first output, for "dkd"; None without.

        Returns:
            (N,).
        """
        total = 0.0
        for index, (kind, distance) in enumerate(zip(self.kinds, self._distances, strict=True)):
            taught = self.together(answers, index)
            student = _comparable(as_logits(outputs[index], kind), kind)
            classes = _class_ids(labels, taught) if family(kind) == "classes" else None
            total += distance(taught, student, classes)
        return total

    def compares_classes(self, index: int) -> bool:
        """Whether an output is a score per class."""
        return family(self.kinds[index]) == "classes"

    def together(self, answers: Sequence[Sequence[Any]], index: int) -> Any:
        """What all teachers say of one output, as logits or values.

        Args:
            answers: by teacher, its outputs.
            index: which output.
        """
        comparable = [
            _comparable(
                as_logits(answer[index], teacher.kinds[index], smallest=teacher.smallest[index]),
                teacher.kinds[index],
            )
            for teacher, answer in zip(self._teachers, answers, strict=True)
        ]
        return comparable[0] if len(comparable) == 1 else tf.add_n(comparable) / len(comparable)


def _comparable(logits: Any, kind: OutputKind) -> Any:
    """Logits of classes are known up to a constant, which is taken out."""
    return distill_losses.centred(logits) if family(kind) == "classes" else logits


def _class_ids(labels: Any, logits: Any) -> Any:
    """The target class of each example, where labels are ids or one-hot rows."""
    if labels is None or isinstance(labels, dict | list | tuple):
        return None
    ids = tf.convert_to_tensor(labels)
    if ids.shape.rank == logits.shape.rank and ids.shape[-1] == logits.shape[-1]:
        return tf.argmax(ids, axis=-1)
    if ids.shape.rank == logits.shape.rank and ids.shape[-1] == 1:
        ids = tf.squeeze(ids, axis=-1)
    return tf.cast(ids, tf.int64) if ids.shape.rank == logits.shape.rank - 1 else None


def _check_kinds(teacher: Teacher, kinds: Sequence[OutputKind]) -> None:
    for mine, its in zip(kinds, teacher.kinds, strict=True):
        if family(mine) != family(its):
            raise UsageError(
                f"teacher {teacher.name!r} outputs {its!r}, the student {mine!r}, which cannot be "
                f"compared: pass student_outputs and teacher_outputs if these were detected wrongly"
            )


def check_outputs(teacher: Teacher, its: Sequence[Any], mine: Sequence[Any]) -> None:
    """Refuses a teacher whose outputs are not of the student's number and shapes.

    Args:
        teacher: who.
        its: its outputs on some examples.
        mine: the student's on the same.
    """
    shapes = [tf.TensorShape(value.shape)[1:] for value in its]
    own = [tf.TensorShape(value.shape)[1:] for value in mine]
    if shapes != own:
        raise InputError(
            f"teacher {teacher.name!r} outputs {' and '.join(map(shape_text, shapes))} per "
            f"example, the student {' and '.join(map(shape_text, own))}: give a teacher with the "
            f"same outputs"
        )
