"""The verb: train a student on its teachers' outputs, with or without labels."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.data.data import Data
from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.distillation.comparison import Comparison, Standing
from tflite_squeeze.techniques.distillation.record import DistillRecord, TeacherRecord
from tflite_squeeze.training.augment import augmentation_of
from tflite_squeeze.training.config import Distill, FineTune
from tflite_squeeze.training.finetune import train
from tflite_squeeze.training.fitted import fitted
from tflite_squeeze.training.held_back import LOOKED_AT
from tflite_squeeze.training.momentum import momentum_of
from tflite_squeeze.training.parts import examples_of, uses_labels
from tflite_squeeze.training.plan import Needs, chosen_names, plan_note, planned
from tflite_squeeze.training.quality import metric_name
from tflite_squeeze.training.statistics import Settling
from tflite_squeeze.training.step_run import RunContext, working_model
from tflite_squeeze.training.teaching.distiller import Distiller
from tflite_squeeze.training.teaching.teacher_answers import default_folder, known_answers
from tflite_squeeze.training.teaching.teachers import Teacher, teachers_of


class Distilled(NamedTuple):
    """A trained student and what was done to it."""

    model: Any
    record: DistillRecord


@checked_arguments
def distill(
    student: Any,
    config: Distill,
    data: Any,
    teacher: Any,
    finetune: FineTune | None = None,
    *,
    in_place: bool = False,
    augment: Callable[[Any], Any] | None = None,
    callbacks: Sequence[Any] = (),
    context: RunContext | None = None,
    verbose: int = 0,
) -> Distilled:
    """Trains a student on its teachers' outputs, and on labels where there are any.

    Args:
        student: a built Keras model of either version, trained or not, a path to one, or a
            `LoadedModel`.
        config: what the student learns from the teacher.
        data: `Data` or anything that `load_data` takes. Labels are optional; without a training
            part, what calibrates is trained on.
        teacher: a Keras model of either version, a path, a SavedModel, a concrete function, the
            bytes of a `.tflite` file, or a list of them: an ensemble.
        finetune: how to train; numbers left open are chosen.
        in_place: train the student itself, not a copy.
        augment: changes a batch of inputs, in the structure that the student takes, before both
            see it. The teacher then answers in each step.
        callbacks: of the student's own Keras, or of this package.
        context: passed by a run of several steps (a recipe).
        verbose: as in `model.fit`.

    Returns:
        A `Distilled`, which unpacks as (model, record): the trained Keras model, and a
        `DistillRecord` with its quality and its agreement with the teachers, before and after.

    Raises:
        UsageError: it cannot be determined whether a model outputs probabilities or logits, the
            distance does not compare such outputs, or the requested cache would not be valid.
        InputError: the data or a teacher does not fit the student.

    Example:
        >>> model, record = distill(student, Distill(), "mnist", "teacher.keras")
    """
    started = time.perf_counter()
    asked = finetune or FineTune()
    if asked.teacher is not None:
        raise UsageError("distill is given its teacher: leave teacher out of FineTune")
    context = context or RunContext()
    copied = not (in_place or context.owned)
    _, learner, notes = working_model(student, in_place=in_place, copied=copied)
    samples = fitted(learner, data)
    needs = Needs(momentum=momentum_of(learner))
    examples = examples_of(samples)
    training = planned(asked, examples, needs)
    epochs, told = training.epochs or 1, plan_note(asked, training, examples)
    augmentation = augmentation_of(training.augment or (), learner, samples)
    teachers = teachers_of(teacher, learner, config.teacher_outputs)
    # Refuses what cannot be compared before any work is spent on answers.
    distiller = Distiller(learner, teachers, config)
    answers, cache = known_answers(
        learner, teachers, config, samples, epochs, default_folder(),
        augmented=augment is not None or bool(training.augment),
    )  # fmt: skip
    if answers is not None:
        distiller = Distiller(learner, teachers, config, live=False)
    compared = Comparison.with_teachers(distiller, samples, teachers)
    before = compared.now(distiller)
    trained = train(
        learner, distiller, samples, training,
        [*callbacks, *context.callbacks(epochs)],
        answers=answers, augment=augment, far=_far(distiller, samples, teachers),
        chosen=chosen_names(asked), verbose=verbose,
    )  # fmt: skip
    noted = [
        told,
        *(augmentation.notes if augmentation else ()),
        *trained.notes,
        _settled(learner, samples, training),
    ]
    after = compared.now(distiller)
    record = DistillRecord(
        model=learner.name,
        config=config,
        finetune=trained.config,
        skipped=(),
        metric=metric_name(learner),
        history=trained.history,
        notes=(*notes, *samples.notes, *filter(None, noted)),
        seconds=time.perf_counter() - started,
        student_outputs=distiller.kinds,
        labelled=uses_labels(samples) and config.label_weight > 0,
        cache=cache,
        **_standings(before, after),
        **_about(teachers, compared),
    )
    return Distilled(learner, record)


def distill_from_original(
    model: Any,
    config: Distill,
    data: Any,
    finetune: FineTune | None = None,
    *,
    context: RunContext,
) -> Distilled:
    """The verb as a step of a recipe: the model that the recipe was given teaches."""
    return distill(model, config, data, context.original, finetune, context=context)


def _settled(learner: Any, samples: Data, training: FineTune) -> str | None:
    """Estimates statistics again after the training, where labels can judge them; a note of it."""
    if not samples.labelled or not training.reestimate:
        return None
    settled = Settling(learner, samples).settle(learner)
    return None if settled is None else settled.note


def _far(
    distiller: Any, samples: Data, teachers: Sequence[Teacher]
) -> Callable[[Sequence[Any]], float] | None:
    """How far answers are from the teachers'; None where labels say how good they are."""
    if samples.labelled:
        return None
    compared = Comparison.with_teachers(distiller, samples, teachers, LOOKED_AT)
    return lambda outputs: compared.distance(distiller, outputs)


def _standings(before: Standing, after: Standing) -> dict[str, Any]:
    """Where the student stood, under the names that the record has for it."""
    return {
        "before": before.quality,
        "after": after.quality,
        "distance_before": before.distance,
        "distance_after": after.distance,
        "agreement_before": before.agreement,
        "agreement_after": after.agreement,
    }


def _about(teachers: Sequence[Teacher], compared: Comparison) -> dict[str, Any]:
    """The teachers and how good they are, under the names that the record has for it."""
    records = tuple(
        TeacherRecord(name=one.name, form=str(one.form), sha256=one.sha256, outputs=one.kinds)
        for one in teachers
    )
    return {"teachers": records, "teacher_quality": compared.teacher_quality()}
