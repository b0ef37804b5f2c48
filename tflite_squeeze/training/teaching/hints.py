"""Hints: hidden layers of a student, trained to match those of its teacher."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.graph import graph_of, has_graph
from tflite_squeeze.training.config import Hint
from tflite_squeeze.training.teaching import losses as distill_losses
from tflite_squeeze.training.teaching.teachers import Teacher


@dataclass(frozen=True, kw_only=True)
class HintPair:
    """A pair of layers whose shapes are known.

    Attributes:
        hint: what was asked for.
        student_channels: of the student's layer.
        teacher_channels: of the teacher's.
    """

    hint: Hint
    student_channels: int
    teacher_channels: int

    @property
    def projected(self) -> bool:
        """Whether the student's channels pass through a learned projection."""
        return self.hint.compare == "features"

    def distance(self, teacher: Any, student: Any, projection: Any) -> Any:
        """The weighted distance of both layers, per example.

        Args:
            teacher: features (N, ..., Ct).
            student: features (N, ..., Cs).
            projection: (Cs, Ct), or None.
        """
        teacher, student = tf.cast(teacher, tf.float32), tf.cast(student, tf.float32)
        if not self.projected:
            return self.hint.weight * distill_losses.attention(teacher, student)
        projected = tf.tensordot(student, tf.convert_to_tensor(projection), axes=1)
        return self.hint.weight * distill_losses.hint(teacher, projected)


@dataclass(frozen=True, kw_only=True)
class Hints:
    """Everything that hints need.

    Attributes:
        pairs: of layers.
        student: the student with its hidden layers: inputs → (outputs, features).
        teacher: the student's inputs, flat → the features of the teacher.
    """

    pairs: tuple[HintPair, ...]
    student: Callable[..., tuple[Any, list[Any]]]
    teacher: Callable[[Sequence[Any]], list[Any]]


def hints_of(student: Any, teachers: Sequence[Teacher], hints: Sequence[Hint]) -> Hints:
    """Finds the layers that hints name.

    Args:
        student: a Keras model with a graph.
        teachers: one, a Keras model with a graph.
        hints: pairs of layers.

    Raises:
        UsageError: there is no such layer, or the two cannot be compared.
    """
    if len(teachers) != 1 or teachers[0].model is None or teachers[0].arrange is None:
        raise UsageError("hints need exactly one teacher, which must be a Keras model")
    teacher, arrange = teachers[0].model, teachers[0].arrange
    mine = [_output_of(student, hint.student, "student") for hint in hints]
    its = [_output_of(teacher, hint.teacher, "teacher") for hint in hints]
    pairs = tuple(
        _pair(hint, own.shape, other.shape)
        for hint, own, other in zip(hints, mine, its, strict=True)
    )
    deep_student, deep_teacher = _with_features(student, mine), _with_features(teacher, its)

    def of_teacher(inputs: Sequence[Any]) -> list[Any]:
        return deep_teacher(arrange(inputs), training=False)[1]

    return Hints(pairs=pairs, student=deep_student, teacher=of_teacher)


def _output_of(model: Any, name: str, what: str) -> Any:
    """The symbolic output of a layer."""
    if not has_graph(model):
        raise UsageError(
            f"{what} {model.name!r} is subclassed and has no graph: hints cannot see its layers"
        )
    calls = list(graph_of(model, opened=False).calls().values())
    known = {nodes[0].source.name: nodes for nodes in calls}
    if name not in known:
        raise UsageError(f"hints name {what} layer {name!r}, which is none of {', '.join(known)}")
    if len(known[name]) > 1:
        raise UsageError(
            f"{what} layer {name!r} is called more than once: a hint needs a layer with one output"
        )
    tensor, *others = known[name][0].tensors
    if others or tensor.shape[-1] is None:
        raise UsageError(
            f"{what} layer {name!r} must have exactly one output, with a fixed number of channels"
        )
    return tensor


def _pair(hint: Hint, mine: Sequence[int | None], its: Sequence[int | None]) -> HintPair:
    """Refuses pairs that cannot be compared."""
    own, other = tuple(mine)[1:], tuple(its)[1:]
    said = f"student layer {hint.student!r} {own} and teacher layer {hint.teacher!r} {other}"
    if hint.compare == "features" and own[:-1] != other[:-1]:
        raise UsageError(
            f"{said} have different positions: pair layers that agree but for the last axis, or "
            f"compare='attention'"
        )
    if hint.compare == "attention" and min(len(own), len(other)) < 2:
        raise UsageError(f"{said} have no positions to attend to: use compare='features'")
    if hint.compare == "attention" and own[:-1] != other[:-1] and {len(own), len(other)} != {3}:
        raise UsageError(f"{said} cannot be resized to each other: pair two image layers")
    return HintPair(
        hint=hint, student_channels=int(own[-1] or 0), teacher_channels=int(other[-1] or 0)
    )


def _with_features(model: Any, features: list[Any]) -> Callable[..., tuple[Any, list[Any]]]:
    """A model with hidden layers as further outputs; its layers are the model's own."""
    keras = flavors.keras_of(flavors.known_flavor(model))
    deep = keras.Model(model.inputs, [*tf.nest.flatten(model.outputs), *features])
    count = len(model.outputs)
    structure = flavors.output_structure(model)

    def call(inputs: Any, training: bool) -> tuple[Any, list[Any]]:
        found = tf.nest.flatten(deep(tf.nest.flatten(inputs), training=training))
        return tf.nest.pack_sequence_as(structure, found[:count]), found[count:]

    return call
