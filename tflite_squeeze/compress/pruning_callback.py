"""Pruning inside the user's own `model.fit`."""

import warnings
from typing import Any

from tflite_squeeze.compress import keras_variables
from tflite_squeeze.compress.budget import Curves
from tflite_squeeze.compress.grouped_masks import GroupedMasks, groups_of
from tflite_squeeze.compress.layers import NOT_BUILT
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
    the step is counted from epoch 0. A second `fit` of the same model goes on where the first
    ended. A frozen layer is pruned like any other; `protect` it where its weights have to stay.

    It works under `tf.distribute.MirroredStrategy` in both Kerases, and under
    `MultiWorkerMirroredStrategy` in tf_keras; Keras 3 itself does not train under the latter.

    What stands after this callback in the list sees `sparsity` in its logs: TensorBoard belongs
    there. `EarlyStopping(restore_best_weights=True)` belongs before it, so that weights restored
    at the end are pruned too; with `start_from_epoch` behind the end of the schedule, it restores
    weights that were trained with their zeros.

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
        self._masks: GroupedMasks | None = None
        self._trained: Any = None
        self._total: int | None = None
        self._steps: int | None = None
        self._next_step = 0
        self._seen = -1
        self._batches = 0
        self._stride = 1
        self._running = False
        self._finished = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Learns how long the training is."""
        if self._masks is not None:  # an earlier training was interrupted
            self._masks.detach()
            self._masks = None
        if self._trained is not self.model:
            self._trained = self.model
            self._next_step = 0
        self._steps = self.params.get("steps")
        self._stride = keras_variables.steps_per_execution(self.model)
        self._running = False
        self._finished = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Sets the masks up before the first step.

        Not at the beginning of the training, since a callback after this one may restore a
        checkpoint there.
        """
        if not self._running:
            self._running = True
            if epoch:
                self._next_step = self._step_at(epoch)
            self._seen = self._next_step - 1
            self._count_steps(epoch)
        if self._masks is None:
            self._set_up()

    def _step_at(self, epoch: int) -> int:
        """The step at which an epoch begins, for a training that goes on from there."""
        if self._steps:
            return epoch * self._steps
        return keras_variables.steps_done(self.model)

    def _count_steps(self, epoch: int) -> None:
        """Counts the steps of the whole training, once the length of an epoch is known."""
        epochs = self.params.get("epochs")
        if self._steps and epochs:
            self._total = self._next_step + self._steps * (epochs - epoch)

    def _set_up(self) -> None:
        groups = groups_of(self.model, self.config)
        selection = groups.selection
        if not selection.targets and any(item.reason == NOT_BUILT for item in selection.skipped):
            return  # the first step builds the model
        self._masks = GroupedMasks(self.model, groups, data=self._data, curves=self._curves)
        if not selection.targets:
            warnings.warn(
                f"nothing to prune in model {self.model.name!r}: "
                + "; ".join(f"{item.layer}: {item.reason}" for item in selection.skipped),
                TargetNotReached,
                stacklevel=2,
            )
        self._masks.attach()
        keras_variables.retrace(self.model)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Moves the masks where the schedule says so.

        At the begin of a step, since Keras waits for each step's result where a callback looks at
        its end.
        """
        if self._masks is None and batch:
            self._set_up()
        self._batches = batch + self._stride
        self._advance(self._next_step + batch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Logs the sparsity."""
        known = self._steps is not None
        self._next_step += self._steps or self._batches
        if not known:
            self._steps = self._batches
            self._count_steps(epoch + 1)
        self._advance(self._next_step)
        if self._masks is None:
            return
        self._masks.hold()
        if logs is not None:
            logs["sparsity"] = self._masks.sparsity()

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves a plain model with its zeros, and says loudly when there are too few."""
        if self._masks is None:
            self._set_up()
        if self._masks is None:
            return
        self._masks.hold()
        self._masks.detach()
        keras_variables.retrace(self.model)
        last = self.config.schedule.last_step(self._total)
        if self._next_step < last or self._masks.falls_short():
            warnings.warn(
                f"pruning stopped at a sparsity of {self._masks.sparsity():.2%} after "
                f"{self._next_step} steps; {self._masks.goal():.2%} was asked for at step {last}: "
                f"train longer, or let the schedule end earlier",
                TargetNotReached,
                stacklevel=2,
            )
        self._masks = None

    def _advance(self, step: int) -> None:
        """Updates the masks when an update was due since the last look."""
        if self._masks is None or step <= self._seen:
            return
        schedule = self.config.schedule
        last = schedule.last_step(self._total)
        due = any(schedule.due(s, self._total) for s in range(self._seen + 1, step + 1))
        # The end may have been passed unseen: by a restart behind it, or where it was not known.
        # TFMOT's schedules end where they say themselves.
        late = step >= last and not self._finished and schedule.kind != "tfmot"
        self._seen = step
        if due or late:
            self._finished = step + (schedule.frequency if schedule.kind == "tfmot" else 0) >= last
            exact = schedule.frequency >= _EXACT_FROM or self._finished
            self._masks.update(
                lambda target: schedule.sparsity(step, target, self._total), exact=exact
            )
