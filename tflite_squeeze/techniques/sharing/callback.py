"""Parameter sharing inside the user's own `model.fit`."""

import warnings
from collections.abc import Mapping
from typing import Any

from tflite_squeeze.network import variables as keras_variables
from tflite_squeeze.network.weights import NOT_BUILT
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.techniques.sharing.plan import cluster_plan
from tflite_squeeze.techniques.sharing.sharing import ModelSharing
from tflite_squeeze.training.callback import StepCallback


class NothingShared(UserWarning):
    """Training ended, and no weight shares values."""


class ClusteringCallback(StepCallback):
    """Makes weights share few values while `model.fit` trains those values.

    Sharing is a constraint of the weights, so it holds inside the compiled step: every weight
    becomes the mean of those that share with it. Zeros stay zeros and are no members, so pruned
    models stay pruned; with `PruningCallback` in the same training, let `begin` be the step at
    which its schedule ends. The model stays a plain Keras model: saving it and loading it
    elsewhere need nothing of this package. A run that goes on from a checkpoint (`initial_epoch`,
    `BackupAndRestore`) goes on with the values that its weights have.

    A shared value moves by the mean of its members' steps, which partly cancel out: where the
    optimiser is Adam, a learning rate of 3 to 10 times the usual one suits it.

    Callbacks after this one in the list see `shared_values` in its logs, the most that a
    table has. `EarlyStopping(restore_best_weights=True)` belongs before it.

    Args:
        config: how many values, which layers, and when.
        measured: for `max_drop`, values by weight.

    Attributes:
        errors: by weight, ‖w - shared‖ / ‖w‖ as the sharing began; empty before.

    Example:
        >>> model.fit(x, y, epochs=3, callbacks=[ClusteringCallback(Cluster(clusters=16))])
    """

    def __init__(self, config: Cluster, *, measured: Mapping[str, int] | None = None) -> None:
        super().__init__()
        self.config = config
        self.errors: dict[str, float] = {}
        self._measured = measured
        self._shared: ModelSharing | None = None

    @property
    def _ready(self) -> bool:
        return self._shared is not None

    def _abandon(self) -> None:
        if self._shared is not None:
            self._shared.detach()
            self._shared = None

    def _set_up(self, step: int) -> None:
        if step < self.config.begin:
            return
        model = keras_variables.student_of(self.model)
        plan = cluster_plan(model, self.config, self._measured)
        if not plan.sharings and any(item.reason == NOT_BUILT for item in plan.skipped):
            return  # the first step builds the model
        if not plan.sharings:
            self._warn(f"nothing to share in model {model.name!r}: {plan.why_nothing()}")
        self._shared = ModelSharing(plan.sharings, follows=self.config.reassign > 0)
        self.errors = self._shared.errors
        self._shared.attach()
        keras_variables.retrace(self.model)

    def _move(self, last: int, step: int) -> None:
        """Assigns weights to values anew when that was due since the last look."""
        assert self._shared is not None
        begin, every = self.config.begin, self.config.reassign
        since = max(last, begin) - begin
        if every and (step - begin) // every > since // every:
            self._shared.reassign()

    def _report(self, logs: Any) -> None:
        assert self._shared is not None
        self._shared.hold()
        if logs is not None:
            logs["shared_values"] = self._shared.distinct()

    def _finish(self) -> None:
        assert self._shared is not None
        self._shared.hold()
        self._shared.detach()
        keras_variables.retrace(self.model)
        self._shared = None

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves a plain model, and warns when sharing never began."""
        super().on_train_end(logs)
        if self._next_step < self.config.begin:
            self._warn(
                f"training ended after {self._next_step} steps, but sharing was to begin at step "
                f"{self.config.begin}: train longer, or begin earlier"
            )

    def _warn(self, text: str) -> None:
        warnings.warn(text, NothingShared, stacklevel=3)
