"""What the verb of every technique does around its own work: data, training, quality, time."""

import time
from collections.abc import Sequence
from typing import Any

from tflite_squeeze.data.data import load_data
from tflite_squeeze.network import flavors
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.finetune import finetune, original_of, training_of
from tflite_squeeze.training.quality import metric_name, validation_quality


class StepRun:
    """One use of a technique on a model, begun before anything is changed.

    Args:
        model: a Keras model of either flavour: the one to be changed in place, or to be replaced.
        data: `Data` or anything that `load_data` takes, or None.
        config: how to train; by default with labels only.
        one_shot: whether training is declined.
        original: the model as it was given, where `model` is a copy of it.
        in_place: whether `original` itself will change.

    Attributes:
        samples: the data, fitted to the model.
        training: how it will be trained on; None where it will not.

    Raises:
        UsageError: training was asked for and the data is not enough for it.
        InputError: the data does not fit the model.
    """

    def __init__(
        self,
        model: Any,
        data: Any,
        config: FineTune | None,
        *,
        one_shot: bool,
        original: Any = None,
        in_place: bool = False,
    ) -> None:
        self._started = time.perf_counter()
        self._model = model
        self.samples = (
            None if data is None else load_data(data).fitted_to(flavors.input_specs(model))
        )
        self.training = training_of(self.samples, config, one_shot=one_shot)
        given = model if original is None else original
        self._original = original_of(given, self.training, in_place=in_place)
        self._before = validation_quality(model, self.samples)
        self._history: dict[str, list[float]] = {}

    @property
    def trains(self) -> bool:
        """Whether there is a training, and data for it."""
        return self.training is not None and self.samples is not None

    def train(
        self, changed: Any, callbacks: Sequence[Any] = (), *, epochs: int | None = None, **how: Any
    ) -> None:
        """Trains what the model became, where `trains` says so; stage by stage if called again.

        Args:
            changed: what is trained.
            callbacks: Keras callbacks of its flavour.
            epochs: of this stage, where there are several.
            **how: what else `finetune` takes: `around`, `optimizer`, `verbose`.
        """
        if self.training is None or self.samples is None:
            return
        stage = self.training
        if epochs is not None:
            stage = stage.model_copy(update={"epochs": epochs})
        trained = finetune(changed, self.samples, stage, callbacks, original=self._original, **how)
        for name, values in trained.history.items():
            self._history.setdefault(name, []).extend(values)

    def facts(self, changed: Any, *notes: str) -> dict[str, Any]:
        """The fields of a `StepRecord` that are the same for every technique, but `skipped`.

        Args:
            changed: what the model became.
            *notes: what else to know, after what the data says.
        """
        return {
            "model": self._model.name,
            "finetune": self.training,
            "metric": metric_name(self._model),
            "before": self._before,
            "after": validation_quality(changed, self.samples),
            "history": self._history,
            "notes": (*(self.samples.notes if self.samples is not None else ()), *notes),
            "seconds": time.perf_counter() - self._started,
        }
