"""What every verb does around its own work: model, data, training, quality, time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.quantization.twin import is_twin
from tflite_squeeze.network.rewriting import copy_of
from tflite_squeeze.network.variables import callback_class
from tflite_squeeze.rebuilding.layers import model_of
from tflite_squeeze.training.augment import augmentation_of, suits
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.finetune import finetune, training_of
from tflite_squeeze.training.fitted import fitted
from tflite_squeeze.training.judging import Judge, Verdict
from tflite_squeeze.training.momentum import momentum_of
from tflite_squeeze.training.parts import examples_of
from tflite_squeeze.training.plan import Needs, chosen_names, plan_note, planned, stage_of
from tflite_squeeze.training.progress import Working, printed
from tflite_squeeze.training.quality import metric_name
from tflite_squeeze.training.statistics import Settling

# (epochs that are done, epochs in all)
Told = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What a run of several steps hands to each of them.

    Attributes:
        original: the Keras model before the first step, which teaches where a training says
            `teacher="original"`; None for the model that the step is given.
        told: called after every epoch of training, or None.
        working: called with what is done, how many steps of it are, and of how many, where work
            before or beside training takes long; None for `told`, which gets the numbers alone.
        owned: whether the model belongs to the run, so that a step may change it in place.

    Example:
        >>> context = RunContext(original=model, told=lambda done, of: print(f"{done} of {of}"))
        >>> finetune = FineTune(teacher="original")
        >>> cluster(pruned, Cluster(clusters=16), data, finetune, context=context)
    """

    original: Any = None
    told: Told | None = None
    working: Working | None = None
    owned: bool = False

    def teller(self, verbose: int) -> Working:
        """What a technique tells of its work: where nobody watches, lines unless it is silent."""
        told = self.told
        if self.working is not None:
            return self.working
        if told is not None:
            return lambda _what, done, of: told(done, of)
        return printed(verbose)

    def callbacks(self, epochs: int) -> list[Any]:
        """What a training of so many epochs needs, so that who watches is told."""
        return [] if self.told is None else [_Teller(self.told, epochs)]


class _Teller(callback_class()):  # type: ignore[misc]
    """Tells of the epochs of one training."""

    def __init__(self, told: Told, epochs: int) -> None:
        super().__init__()
        self._told, self._epochs = told, epochs

    def on_train_begin(self, logs: Any = None) -> None:
        """Tells that none is done yet."""
        self._told(0, self._epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Tells that one more is done."""
        self._told(epoch + 1, self._epochs)


def working_model(
    source: Any, *, in_place: bool, copied: bool, keep_prunable: bool = False
) -> tuple[Any, Any, tuple[str, ...]]:
    """The model that a verb is given, and the one that it works on.

    Args:
        source: a Keras model of either version, a path to one, or a `LoadedModel`.
        in_place: whether the user wants the model itself to be changed.
        copied: whether a copy is worked on.
        keep_prunable: whether `Prunable` wrappers stay in a model that is read from a file.

    Returns:
        (model that was given, model that is worked on, what was done to it on the way).

    Raises:
        UsageError: it is no Keras model, a quantized one, or cannot be copied, or `in_place` has
            nothing to change.
        InputError: it cannot be loaded.
    """
    given, notes = model_of(source, keep_prunable=keep_prunable)
    if is_twin(given):
        raise UsageError(
            f"model {given.name!r} is a quantized network, which is the last that a model becomes: "
            f"pass the float model that it was made of, or what float_model makes of it"
        )
    if in_place and given is not source:
        raise UsageError(
            "in_place changes a Keras model in memory, and not what was loaded from a file: pass "
            "the model itself, or leave in_place out"
        )
    return given, copy_of(given) if copied else given, notes


class StepRun:
    """One use of a technique on a model, begun before anything is changed.

    Args:
        source: a Keras model of either version, a path to one, or a `LoadedModel`.
        data: `Data` or anything that `load_data` takes, or None.
        config: how to train; by default with labels only.
        one_shot: whether training is declined.
        in_place: whether the model itself is changed.
        rebuilds: whether the technique makes a new model, so that nothing needs to be copied.
        keep_prunable: whether `Prunable` wrappers stay in a model that is read from a file.
        needs: what the technique needs of a training whose numbers are not given.
        context: passed by a run of several steps (a recipe).

    Attributes:
        model: what the technique works on: a copy of the model that was given; that model itself
            where it is changed in place, or where the technique makes a new one of it.
        samples: the data, fitted to the model.
        training: how it will be trained on; None where it will not.
        in_place: whether `model` is the one that was given, to be changed.

    Raises:
        UsageError: it is no Keras model or cannot be copied, or training was asked for and the data
            is not enough for it.
        InputError: the model cannot be loaded, or the data does not fit it.
    """

    def __init__(
        self,
        source: Any,
        data: Any,
        config: FineTune | None,
        *,
        one_shot: bool = False,
        in_place: bool = False,
        rebuilds: bool = False,
        keep_prunable: bool = False,
        needs: Needs | None = None,
        context: RunContext | None = None,
    ) -> None:
        self._started = time.perf_counter()
        self._context = context or RunContext()
        self.in_place = in_place or self._context.owned
        given, self.model, self._notes = working_model(
            source,
            in_place=in_place,
            copied=not (self.in_place or rebuilds),
            keep_prunable=keep_prunable,
        )
        self.samples = None if data is None else fitted(self.model, data)
        self.training = training_of(self.samples, config, one_shot=one_shot)
        self._told: list[str] = []
        self._chosen: frozenset[str] = frozenset()
        if self.training is not None and self.samples is not None:
            asked, examples = self.training, examples_of(self.samples)
            needs = needs or Needs()
            fitting = needs.augment if suits(needs.augment, self.model, self.samples) else ()
            momentum = None if needs.folds else momentum_of(self.model)
            needs = replace(needs, momentum=momentum, augment=fitting)
            self.training = planned(asked, examples, needs)
            self._chosen = chosen_names(asked)
            self._told += filter(None, [plan_note(asked, self.training, examples)])
        self._notes = (*self._notes, *self._augmented())
        self._original = self._teacher(given)
        self._judge = None if self.samples is None else Judge(self.model, self.samples)
        self._history: dict[str, list[float]] = {}
        self._settling = self._settled_by(config)

    def _teacher(self, given: Any) -> Any:
        """The model as it is now, for it to teach later; None where no teacher is asked for."""
        if self.training is None or self.training.teacher is None:
            return None
        if self._context.original is not None:
            return self._context.original
        return copy_of(given) if self.in_place else given

    def _augmented(self) -> tuple[str, ...]:
        """What is to be known of the augmentation; one that does not fit is refused."""
        if self.training is None or self.samples is None:
            return ()
        augmentation = augmentation_of(self.training.augment or (), self.model, self.samples)
        return () if augmentation is None else augmentation.notes

    def _settled_by(self, config: FineTune | None) -> Settling | None:
        """What estimates statistics again, told of the model before it is changed."""
        if self.samples is None or not (config or FineTune()).reestimate:
            return None
        return Settling(self.model, self.samples)

    @property
    def trains(self) -> bool:
        """Whether there is a training, and data for it."""
        return self.training is not None and self.samples is not None

    @property
    def told(self) -> Told | None:
        """Whom long work tells how far it is, (done, of); None for nobody."""
        return self._context.told

    def train(
        self,
        changed: Any,
        callbacks: Sequence[Any] = (),
        *,
        epochs: int | None = None,
        learning_rate: float | None = None,
        **how: Any,
    ) -> None:
        """Trains what the model became, where `trains` says so; stage by stage if called again.

        Args:
            changed: what is trained.
            callbacks: Keras callbacks of its version of Keras.
            epochs: of this stage, where there are several.
            learning_rate: of this stage.
            **how: what else `finetune` takes: `around`, `optimizer`, `selects`, `verbose`.
        """
        if self.training is None or self.samples is None:
            return
        if changed is not self.model and self._settling is not None:
            self._settling.settle(changed)  # a new model: training starts from what it can do
        stage = self.training if epochs is None else stage_of(self.training, epochs)
        if learning_rate is not None:
            stage = stage.model_copy(update={"learning_rate": learning_rate})
        told = self._context.callbacks(stage.epochs or 1)
        trained = finetune(
            changed, self.samples, stage, [*callbacks, *told],
            original=self._original, chosen=self._chosen, **how,
        )  # fmt: skip
        self._told += trained.notes
        if learning_rate is None:
            used = trained.config
            update = {"learning_rate": used.learning_rate, "batch": used.batch}
            self.training = self.training.model_copy(update=update)
        for name, values in trained.history.items():
            self._history.setdefault(name, []).extend(values)

    def verdict(self, changed: Any) -> Verdict | None:
        """How what the model became does beside the model as it was; None without data."""
        return None if self._judge is None else self._judge.verdict(changed)

    def facts(self, changed: Any, *notes: str) -> dict[str, Any]:
        """Ends the run: the fields of a `StepRecord` that all techniques have, but `skipped`.

        The statistics of normalization layers are estimated again first, see `Settling`.

        Args:
            changed: what the model became.
            *notes: what else to know, after what the file and the data say.
        """
        told = self.samples.notes if self.samples is not None else ()
        settled = None if self._settling is None else self._settling.settle(changed)
        notes = (*notes, settled.note) if settled is not None else notes
        return {
            "model": self.model.name,
            "finetune": self.training,
            **self._judged(changed),
            "history": self._history,
            "notes": (*self._notes, *told, *(self._told if self.trains else ()), *notes),
            "seconds": time.perf_counter() - self._started,
        }

    def _judged(self, changed: Any) -> dict[str, Any]:
        """What the technique cost, under the names that the record has for it."""
        verdict = self.verdict(changed)
        if self._judge is None or verdict is None:
            return {"metric": metric_name(self.model), "before": None, "after": None}
        return {
            "metric": self._judge.metric,
            "before": self._judge.before.quality,
            "after": verdict.quality,
            "agreement": verdict.agreement,
            "divergence": verdict.divergence,
            "examples": verdict.examples,
            "interval": verdict.interval,
        }
