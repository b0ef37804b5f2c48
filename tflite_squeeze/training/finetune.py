"""The one training loop that every technique and recipe uses."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_squeeze.data.data import Data
from tflite_squeeze.data.raw_data import reading
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.network import flavors
from tflite_squeeze.network.variables import retrace
from tflite_squeeze.training.augment import augmentation_of
from tflite_squeeze.training.config import Distill, FineTune
from tflite_squeeze.training.held_back import HeldBack, far_from
from tflite_squeeze.training.momentum import momentum_at_most, momentum_of
from tflite_squeeze.training.objective import Objective, objective_of
from tflite_squeeze.training.parts import examples_of, uses_labels
from tflite_squeeze.training.plan import Needs, chosen_names, planned, whole_length
from tflite_squeeze.training.teaching.distiller import Distiller
from tflite_squeeze.training.teaching.teacher_answers import (
    Answers,
    known_answers,
)
from tflite_squeeze.training.teaching.teachers import teachers_of
from tflite_squeeze.training.training_data import training_batches
from tflite_squeeze.training.watching import FEWEST_STEPS, Watched, watched


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The result of a training.

    Attributes:
        history: metric → value per epoch.
        steps: training steps in all.
        compiled_here: whether loss and optimiser were chosen here, and not by the user.
        config: how it was trained in the end.
        notes: what was noticed and done on the way.
    """

    history: dict[str, list[float]]
    steps: int
    compiled_here: bool
    config: FineTune
    notes: tuple[str, ...] = ()


def finetune(
    model: Any,
    data: Data,
    config: FineTune | None = None,
    callbacks: Sequence[Any] = (),
    *,
    around: Any = None,
    original: Any = None,
    optimizer: Callable[[Any], Any] | None = None,
    chosen: Collection[str] | None = None,
    selects: bool = True,
    verbose: int = 0,
) -> Trained:
    """Trains a model in place.

    Args:
        model: a Keras model of either version. A loss that it was compiled with is kept; without
            one, cross-entropy for classifiers and the mean squared error for all else.
        data: data fitted to the model: labelled, or of any kind where a teacher answers.
        config: how; None for the defaults.
        callbacks: callbacks of the model's own Keras, or of this package.
        around: what is trained in the model's place: a Keras model that has it inside, with the
            same inputs and outputs.
        original: the model as it was before it was compressed, which teaches where the config
            says so.
        optimizer: makes an optimiser of a learning-rate schedule, in place of the config's.
        chosen: the numbers of the config that the user did not give; by default those that it
            leaves open.
        selects: whether the best state on held-back data is kept, and not the last.
        verbose: as in `model.fit`.

    Returns:
        What was done.

    Raises:
        InputError: the data has no labels, or no training part, and there is no teacher.
        UsageError: the config asks for a teacher, and there is none.
    """
    asked = config or FineTune()
    config = planned(asked, examples_of(data), Needs(momentum=momentum_of(model)))
    check_trainable(data, config)
    trained = model if around is None else around
    how: dict[str, Any] = {
        "chosen": chosen_names(asked) if chosen is None else chosen,
        "optimizer": optimizer, "selects": selects, "verbose": verbose,
    }  # fmt: skip
    if config.teacher is None:
        return train(model, trained, data, config, callbacks, **how)
    if original is None:
        raise UsageError(
            "teacher='original' is asked for, but this step keeps no original: leave it out"
        )
    distill = config.distill or Distill()
    teachers = teachers_of(original, model, distill.teacher_outputs)
    with temporary_folder() as folder:
        answers, _ = known_answers(
            model, teachers, distill, data, config.epochs or 1, folder,
            augmented=bool(config.augment),
        )  # fmt: skip
        taught = Distiller(trained, teachers, distill, like=model, live=answers is None)
        far = None if data.labelled else far_from(original, model, data)
        return train(model, taught, data, config, callbacks, answers=answers, far=far, **how)


def check_trainable(data: Data | None, config: FineTune) -> Data:
    """Refuses data that a training cannot use, before any work is spent on it.

    Args:
        data: what there is.
        config: how it is to be trained.

    Raises:
        UsageError: there is no data.
        InputError: it has no labels, or no training part, and there is no teacher.
    """
    if data is None:
        raise UsageError("fine-tuning needs data: pass some, labelled unless teacher='original'")
    if config.teacher is None and not uses_labels(data):
        raise InputError(
            f"data {data.source} has no labelled training part: pass data with x_train and "
            f"y_train, or teacher='original' to recover without labels"
        )
    return data


def training_of(data: Data | None, finetune: FineTune | None, *, one_shot: bool) -> FineTune | None:
    """How a verb trains: as asked; by default where there are labels; or not at all.

    Args:
        data: what there is, fitted to the model.
        finetune: what the user asks for.
        one_shot: whether training was declined.

    Raises:
        UsageError: as `check_trainable`.
    """
    if one_shot:
        return None
    if finetune is not None:
        check_trainable(data, finetune)
        return finetune
    return FineTune() if data is not None and uses_labels(data) else None


def train(
    model: Any,
    trained: Any,
    data: Data,
    config: FineTune,
    callbacks: Sequence[Any] = (),
    *,
    answers: Answers | None = None,
    augment: Callable[[Any], Any] | None = None,
    optimizer: Callable[[Any], Any] | None = None,
    far: Callable[[Sequence[Any]], float] | None = None,
    chosen: Collection[str] = (),
    selects: bool = True,
    verbose: int = 0,
) -> Trained:
    """Compiles and fits what `finetune` and `distill` have made ready.

    Args:
        model: whose inputs, outputs and loss count.
        trained: what is trained: the model, or one that has it inside.
        data: fitted to the model.
        config: how, with numbers, as `planned` gives it.
        callbacks: as in `finetune`.
        answers: what teachers say of each example, where that is known already.
        augment: changes a batch of inputs.
        optimizer: as in `finetune`.
        far: how far answers to the looked-at examples are from the teacher's, as `HeldBack`
            takes it.
        chosen: as in `finetune`.
        selects: as in `finetune`.
        verbose: as in `model.fit`.
    """
    keras = flavors.keras_of(flavors.known_flavor(model))
    labelled, objective = uses_labels(data), objective_of(model)
    augmentation = augmentation_of(config.augment or (), model, data)
    soft = labelled and augmentation is not None and augmentation.mixes
    trained_for = objective.of_soft_labels(keras) if soft else objective

    def fit(config: FineTune, callbacks: Sequence[Any]) -> dict[str, list[float]]:
        keras.utils.set_random_seed(config.seed)
        batches, length = training_batches(
            model, data, config, answers=answers, augment=augment, augmentation=augmentation
        )
        _compile(model, trained, trained_for, config, optimizer, labelled=labelled)
        with reading(data.source), momentum_at_most(model, config.batchnorm_momentum):
            done = trained.fit(
                batches,
                epochs=config.epochs,
                steps_per_epoch=length,
                callbacks=list(callbacks),
                verbose=verbose,
                shuffle=False,  # the data is shuffled already, and Keras warns if asked to
            )
        retrace(trained)  # with the momentum that the layers have again
        return {name: [float(v) for v in values] for name, values in done.history.items()}

    if whole_length(config) < FEWEST_STEPS:
        done = Watched(history=fit(config, callbacks), config=config, notes=())
    else:
        held = HeldBack(model, data, far)
        done = watched(fit, trained, held, config, callbacks, chosen=chosen, selects=selects)
    steps = int(np.asarray(trained.optimizer.iterations))
    if soft:  # the model keeps the loss that it had
        _compile(model, trained, objective, config, optimizer, labelled=labelled)
    return Trained(
        history=done.history,
        steps=steps,
        compiled_here=not objective.own,
        config=done.config,
        notes=done.notes,
    )


def _compile(
    model: Any,
    trained: Any,
    objective: Objective,
    config: FineTune,
    optimizer_of: Callable[[Any], Any] | None,
    *,
    labelled: bool,
) -> None:
    """Gives the model an optimiser with a rate that falls to zero, and a loss if it has none."""
    keras = flavors.keras_of(flavors.known_flavor(model))
    steps, peak = whole_length(config), config.learning_rate
    warmup = int((config.warmup or 0.0) * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else peak,
        decay_steps=max(1, steps - warmup),
        warmup_target=peak if warmup else None,
        warmup_steps=warmup,
    )
    if optimizer_of is not None:
        optimizer = optimizer_of(rate)
    elif config.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate)
    else:
        optimizer = keras.optimizers.SGD(rate, momentum=0.9)
    asked: dict[str, Any] = {}
    if labelled:
        asked = {"loss": objective.losses, "loss_weights": objective.weights}
        if objective.classifies:
            asked["metrics"] = ["accuracy"]
    jit = compiling_pays(model, trained) if config.jit == "auto" else config.jit
    trained.compile(optimizer=optimizer, jit_compile=jit, **asked)


def compiling_pays(model: Any, trained: Any) -> bool:
    """Whether XLA is likely to make training steps faster on a processor.

    Its convolutions by groups of channels are several times slower there than TensorFlow's own,
    in particular depthwise ones.

    Args:
        model: whose layers count.
        trained: what is trained: the model, or one that has it inside.
    """
    by_groups = any(_convolves_by_groups(layer) for layer in flavors.walk_layers(model))
    return getattr(trained, "supports_jit", True) and not by_groups


def _convolves_by_groups(layer: Any) -> bool:
    kind = type(layer).__name__
    if kind.startswith("Conv"):
        return bool(getattr(layer, "groups", 1) > 1)
    return kind.startswith(("Depthwise", "Separable"))
