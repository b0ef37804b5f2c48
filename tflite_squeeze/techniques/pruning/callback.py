"""Pruning inside the user's own `model.fit`."""

import warnings
from typing import Any

from tflite_squeeze.network import variables as keras_variables
from tflite_squeeze.network.skipped import why_skipped
from tflite_squeeze.network.weights import NOT_BUILT
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.grouped_masks import GroupedMasks, groups_of
from tflite_squeeze.techniques.pruning.scoring_data import ScoringData
from tflite_squeeze.techniques.pruning.sparsities import Curves
from tflite_squeeze.training.callback import StepCallback, TargetNotReached

# Where masks move more often than this, a full ranking each time would slow the training down.
_EXACT_FROM = 10


class PruningCallback(StepCallback):
    """Zeroes weights while `model.fit` trains the others around them.

    The masks are constraints of the weights, so they hold inside the compiled step; the callback
    only moves them along the schedule. The model stays a plain Keras model: saving it and loading
    it elsewhere need nothing of this package. A weight that is zero already stays zero, so a run
    that goes on from a checkpoint (`initial_epoch`, `BackupAndRestore`) goes on with its masks;
    the step is counted from epoch 0. A second `fit` of the same model goes on where the first
    ended. A frozen layer is pruned like any other; `protect` it where its weights have to stay.

    It works under `tf.distribute.MirroredStrategy` in both versions of Keras, and under
    `MultiWorkerMirroredStrategy` in tf_keras; Keras 3 itself does not train under the latter.

    Callbacks after this one in the list see `sparsity` in its logs: TensorBoard belongs
    there. `EarlyStopping(restore_best_weights=True)` belongs before it, so that weights restored
    at the end are pruned too; with `start_from_epoch` behind the end of the schedule, it restores
    weights that were trained with their zeros.

    Args:
        config: what to prune, and when.
        data: samples, for scores that are taken on some.
        curves: measured curves, for budgets that go by them.

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
        self._finished = False

    @property
    def _ready(self) -> bool:
        return self._masks is not None

    @property
    def settled(self) -> bool:
        """Whether the schedule has ended: there are fewer zeros before."""
        return self._ready and self._finished

    def _abandon(self) -> None:
        if self._masks is not None:
            self._masks.detach()
            self._masks = None
        self._finished = False

    def _set_up(self, step: int) -> None:
        model = keras_variables.student_of(self.model)
        groups = groups_of(model, self.config)
        selection = groups.selection
        if not selection.targets and any(item.reason == NOT_BUILT for item in selection.skipped):
            return  # the first step builds the model
        self._masks = GroupedMasks(model, groups, data=self._data, curves=self._curves)
        if not selection.targets:
            warnings.warn(
                f"nothing to prune in model {model.name!r}: {why_skipped(selection.skipped)}",
                TargetNotReached,
                stacklevel=2,
            )
        self._masks.attach()
        keras_variables.retrace(self.model)

    def _report(self, logs: Any) -> None:
        assert self._masks is not None
        self._masks.hold()
        if logs is not None:
            logs["sparsity"] = self._masks.sparsity()

    def _finish(self) -> None:
        """Leaves a plain model with its zeros, and warns when there are too few."""
        assert self._masks is not None
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

    def _move(self, last: int, step: int) -> None:
        """Updates the masks when an update was due since the last look."""
        assert self._masks is not None
        schedule = self.config.schedule
        end = schedule.last_step(self._total)
        due = any(schedule.due(s, self._total) for s in range(last + 1, step + 1))
        # The end may have been passed unseen: by a restart behind it, or where it was not known.
        late = schedule.catches_up and step >= end and not self._finished
        if due or late:
            self._finished = schedule.finished(step, self._total)
            exact = schedule.frequency >= _EXACT_FROM or self._finished
            self._masks.update(
                lambda target: schedule.sparsity(step, target, self._total), exact=exact
            )
