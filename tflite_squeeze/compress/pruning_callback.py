"""Pruning inside the user's own `model.fit`."""

import warnings
from typing import Any

from tflite_squeeze.compress import keras_variables
from tflite_squeeze.compress.budget import Curves
from tflite_squeeze.compress.layers import select
from tflite_squeeze.compress.masking import ModelMasks
from tflite_squeeze.compress.prune_config import Prune
from tflite_squeeze.compress.scoring_data import ScoringData

# Where masks move more often than this, a full ranking each time would slow the training down.
_EXACT_FROM = 10


class TargetNotReached(UserWarning):
    """Training ended before the sparsity that was asked for was reached."""


class PruningCallback(keras_variables.callback_class()):  # type: ignore[misc]
    """Zeroes weights while `model.fit` trains the others around them.

    The masks are constraints of the weights, so they hold inside the compiled step; the callback
    only moves them along the schedule. The model stays a plain Keras model: saving it and loading
    it elsewhere need nothing of this package. A weight that is zero already stays zero, so a run
    that goes on from a checkpoint (`initial_epoch`, `BackupAndRestore`) goes on with its masks;
    the step is counted from epoch 0.

    Args:
        config: what to prune, and when.
        data: samples for the scores "taylor" and "wanda".
        curves: measured curves for the budget "sensitivity".

    Example:
        >>> model.fit(x, y, epochs=8, callbacks=[PruningCallback(Prune(sparsity=0.9))])
    """

    def __init__(
        self, config: Prune, *, data: ScoringData | None = None, curves: Curves | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self._data = data
        self._curves = curves
        self._masks: ModelMasks | None = None
        self._total: int | None = None
        self._steps: int | None = None
        self._next_step = 0
        self._seen = -1
        self._batches = 0
        self._running = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Learns how long the training is."""
        self._steps = self.params.get("steps")
        epochs = self.params.get("epochs")
        if self._steps and epochs:
            self._total = self._next_step + self._steps * epochs
        self._running = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Sets the masks up before the first step.

        Not at the beginning of the training, since a callback after this one may restore a
        checkpoint there.
        """
        if self._running:
            return
        self._running = True
        if epoch and self._steps and not self._next_step:
            self._next_step = epoch * self._steps
            self._total = self._steps * self.params["epochs"]
        selection = select(self.model, only=self.config.only, protect=self.config.protect)
        self._masks = ModelMasks(
            self.model, self.config, selection, data=self._data, curves=self._curves
        )
        if not selection.targets:
            warnings.warn(
                f"nothing to prune in model {self.model.name!r}: "
                + "; ".join(f"{item.layer}: {item.reason}" for item in selection.skipped),
                TargetNotReached,
                stacklevel=2,
            )
        self._masks.attach()
        keras_variables.retrace(self.model)
        self._seen = self._next_step - 1

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Moves the masks where the schedule says so.

        At the begin of a step, since Keras waits for each step's result where a callback looks at
        its end.
        """
        self._batches = batch + 1
        self._advance(self._next_step + batch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Logs the sparsity."""
        self._next_step += self._steps or self._batches
        self._advance(self._next_step)
        if logs is not None and self._masks is not None:
            logs["sparsity"] = self._masks.sparsity()

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves a plain model with its zeros, and says loudly when there are too few."""
        if self._masks is None:
            return
        self._masks.hold()
        self._masks.detach()
        keras_variables.retrace(self.model)
        last = self.config.schedule.last_step(self._total)
        if self._next_step < last or self._falls_short():
            warnings.warn(
                f"pruning stopped at a sparsity of {self._masks.sparsity():.2%} after "
                f"{self._next_step} steps; {self.config.target:.2%} was asked for at step {last}: "
                f"train longer, or let the schedule end earlier",
                TargetNotReached,
                stacklevel=2,
            )
        self._masks = None

    def _falls_short(self) -> bool:
        config = self.config
        if self._masks is None or config.threshold is not None or config.layers:
            return False
        slack = 0.01 if config.granularity != "element" else 0.001
        return self._masks.sparsity() < config.target - slack

    def _advance(self, step: int) -> None:
        """Updates the masks when an update was due since the last look."""
        if self._masks is None or step <= self._seen:
            return
        schedule = self.config.schedule
        due = any(schedule.due(s, self._total) for s in range(self._seen + 1, step + 1))
        self._seen = step
        if due:
            sparsity = schedule.sparsity(step, self.config.target, self._total)
            exact = schedule.frequency >= _EXACT_FROM or step >= schedule.last_step(self._total)
            self._masks.update(sparsity, exact=exact)
