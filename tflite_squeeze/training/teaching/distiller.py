"""A student in training, as a Keras model that learns from labels and from teachers."""

from typing import Any

import tensorflow as tf

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.both_versions import BothVersions
from tflite_squeeze.network.made_up import made_up
from tflite_squeeze.training.config import Distill
from tflite_squeeze.training.teaching.distances import OutputDistance, check_outputs
from tflite_squeeze.training.teaching.hints import hints_of
from tflite_squeeze.training.teaching.output_kinds import kinds_by_graph
from tflite_squeeze.training.teaching.teachers import Teacher, decided_kinds, teachers_of

# What a batch's targets are called once the teachers' answers are among them.
ANSWERS, LABELS, FEATURES = "teacher_answers", "labels", "teacher_features"


class Distiller(BothVersions):
    """Trains a student on its teachers' outputs: a Keras model of the student's version.

    It is compiled with the student's loss and metrics (or without a loss, where there are no
    labels), and fitted like any model; `evaluate` and `predict` are the student's. Callbacks that
    change weights, such as `PruningCallback`, change the student's, and `save` saves the student
    alone. With the loss it logs `distillation`, the mean distance from the teacher.

    Args:
        student: a built model of either version of Keras; it is trained in place.
        teacher: a model of either version of Keras, a path, a SavedModel, a concrete function, the
            bytes of a `.tflite` file, or a list of them: an ensemble. Teachers are never changed.
        config: what the student learns from the teacher.
        like: a model of the same inputs and outputs, where the student has that one inside.
        live: whether the teachers answer in each step; else their answers come with the data.

    Attributes:
        student: the model that is trained.
        kinds: what each of its outputs is, such as "probabilities".

    Raises:
        InputError: inputs or outputs of a teacher do not fit the student.
        UsageError: it cannot be determined whether a model outputs probabilities or logits, or
            the distance does not compare such outputs.

    Reference: Hinton et al. 2015, arXiv:1503.02531.

    Example:
        >>> distiller = Distiller(student, teacher, Distill(temperature=4.0))
        >>> distiller.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        >>> distiller.fit(x, y, epochs=5)
        >>> distiller.save("student.keras")
    """

    keras_name, keras_base = "Distiller", "Model"

    @classmethod
    def _version_for(cls, student: Any, *args: Any, **kwargs: Any) -> flavors.Flavor:
        return flavors.known_flavor(student)

    def __init__(
        self,
        student: Any,
        teacher: Any,
        config: Distill | None = None,
        *,
        like: Any = None,
        live: bool = True,
    ) -> None:
        config = config or Distill()
        teachers = teachers_of(teacher, student, config.teacher_outputs)
        distance = _distance(student, teachers, config, student if like is None else like)
        hints = hints_of(student, teachers, config.hints) if config.hints else None
        super().__init__(name="distiller")  # type: ignore[call-arg]
        self.student = student
        # Past the tracking of Keras: teachers are not part of what is trained, counted or saved.
        self.__dict__.update(_teachers=teachers, _config=config, distance=distance, _hints=hints)
        self.__dict__.update(_with_features=False, kinds=distance.kinds)
        if live and not all(one.compilable for one in teachers):
            self.supports_jit = False
        keras = flavors.keras_of(self.flavor)
        self._objective = keras.metrics.Mean(name="objective")
        self._distillation = keras.metrics.Mean(name="distillation")
        self._projections = [
            self.add_weight(
                name=f"projection_{number}",
                shape=(pair.student_channels, pair.teacher_channels),
                initializer="glorot_uniform",
                trainable=True,
            )
            for number, pair in enumerate(hints.pairs if hints else ())
            if pair.projected
        ]

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles as any model; see the class of the student's Keras."""
        if kwargs.get("jit_compile") is True and not getattr(self, "supports_jit", True):
            raise UsageError(
                "jit_compile is True, but XLA cannot call a .tflite teacher: leave it out, or "
                "compute the teacher's answers once, with distill(...) and its cache"
            )
        super().compile(*args, **kwargs)  # type: ignore[misc]

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The student's answer; with its hidden layers while a step with hints is traced."""
        if self.__dict__["_with_features"]:
            outputs, features = self._hints.student(inputs, training=training)
            return {"outputs": outputs, FEATURES: features}
        return self.student(inputs, training=training)

    def train_step(self, data: Any) -> Any:
        """Asks the teachers, outside of the gradient tape, and takes an ordinary step."""
        x, y, weights = _unpacked(data)
        y = self._told(x, y)
        if self._hints is None:
            return super().train_step((x, y, weights))  # type: ignore[misc]
        y[FEATURES] = self._hints.teacher(tf.nest.flatten(x))
        self.__dict__["_with_features"] = True
        try:
            return super().train_step((x, y, weights))  # type: ignore[misc]
        finally:
            self.__dict__["_with_features"] = False

    def test_step(self, data: Any) -> Any:
        """Evaluates the same objective, without hints."""
        x, y, weights = _unpacked(data)
        return super().test_step((x, self._told(x, y), weights))  # type: ignore[misc]

    def _told(self, x: Any, y: Any) -> dict[str, Any]:
        """The targets of a batch with the teachers' answers, unless they came with the data."""
        if isinstance(y, dict) and ANSWERS in y:
            return dict(y)
        inputs = tf.nest.flatten(x)
        answers = [
            [tf.stop_gradient(output) for output in teacher.answer(inputs)]
            for teacher in self._teachers
        ]
        return {ANSWERS: answers} if y is None else {ANSWERS: answers, LABELS: y}

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None,
        training: bool = True,
    ) -> Any:  # fmt: skip
        """The loss on labels, the distance from the teachers, hints and regularization."""
        y = self._told(x, y)
        outputs, features = _apart(y_pred)
        labels = y.get(LABELS)
        config = self._config
        own = [tf.cast(loss, tf.float32) for loss in self.losses]
        total = tf.add_n(own) if own else tf.zeros([])
        if labels is not None and self.loss and config.label_weight:
            both = super().compute_loss(x, labels, outputs, sample_weight)  # type: ignore[misc]
            total += config.label_weight * (tf.cast(both, tf.float32) - total)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        answers = self.distance(y[ANSWERS], tf.nest.flatten(outputs), labels)
        distance = _mean(answers, sample_weight)
        self._distillation.update_state(distance)
        total += config.lam * distance / replicas
        if features:
            total += _mean(self._hinted(y[FEATURES], features), sample_weight) / replicas
        self._objective.update_state(total * replicas)
        return total

    def _hinted(self, taught: Any, features: Any) -> Any:
        """The distance of all pairs of hidden layers, per example."""
        projections = iter(self._projections)
        return sum(
            pair.distance(teacher, student, next(projections) if pair.projected else None)
            for pair, teacher, student in zip(self._hints.pairs, taught, features, strict=True)
        )

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The student's metrics on labels, where there are any."""
        labels = y.get(LABELS) if isinstance(y, dict) and ANSWERS in y else y
        outputs, _ = _apart(y_pred)
        if labels is None:
            return self.get_metrics_result()
        return super().compute_metrics(x, labels, outputs, sample_weight)  # type: ignore[misc]

    def get_metrics_result(self) -> dict[str, Any]:
        """The metrics by name; `loss` is the whole objective, of which tf_keras sees a part."""
        results = dict(super().get_metrics_result())  # type: ignore[misc]
        results["loss"] = results.pop("objective")
        return results

    def save(self, *args: Any, **kwargs: Any) -> Any:
        """Saves the student, and nothing else."""
        return self.student.save(*args, **kwargs)

    def export(self, *args: Any, **kwargs: Any) -> Any:
        """Exports the student, and nothing else."""
        return self.student.export(*args, **kwargs)


def _distance(
    student: Any, teachers: tuple[Teacher, ...], config: Distill, like: Any
) -> OutputDistance:
    """How far a student's outputs are from its teachers', once they are known to be comparable."""
    structure = flavors.input_structure(like)
    inputs = made_up(tf.nest.flatten(structure))
    outputs = student(tf.nest.pack_sequence_as(structure, inputs), training=False)
    mine = tf.nest.flatten(outputs)
    for teacher in teachers:
        check_outputs(teacher, teacher.answer(inputs), mine)
    kinds = decided_kinds(
        "student", like.name, kinds_by_graph(like), [tf.cast(x, tf.float32).numpy() for x in mine],
        config.student_outputs,
    )  # fmt: skip
    return OutputDistance(config, teachers, kinds)


def _unpacked(data: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample weights) of what `fit` hands to a step."""
    parts = tuple(data) if isinstance(data, tuple | list) else (data,)
    x, y, weights = (*parts, None, None)[:3]
    return x, y, weights


def _apart(y_pred: Any) -> tuple[Any, Any]:
    """A student's outputs and its hidden layers."""
    if isinstance(y_pred, dict) and FEATURES in y_pred:
        return y_pred["outputs"], y_pred[FEATURES]
    return y_pred, None


def _mean(values: Any, weights: Any) -> Any:
    """The mean over examples, each times its weight as Keras does it."""
    if weights is None or isinstance(weights, dict | list | tuple):
        return tf.reduce_mean(values)
    return tf.reduce_mean(values * tf.reshape(tf.cast(weights, values.dtype), [-1]))
