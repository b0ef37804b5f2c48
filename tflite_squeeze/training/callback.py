"""A callback that knows at which step of a whole training it is, across epochs and restarts."""

from typing import Any

from tflite_squeeze.network import variables as keras_variables


class TargetNotReached(UserWarning):
    """Training ended before a technique reached its target."""


class StepCallback(keras_variables.callback_class()):  # type: ignore[misc]
    """Counts steps for a callback that changes weights while `model.fit` trains them.

    The step is counted from epoch 0, so a run that goes on from a checkpoint (`initial_epoch`,
    `BackupAndRestore`) goes on with the right one; a second `fit` of the same model goes on where
    the first ended. A subclass says what happens in `_abandon`, `_set_up`, `_move`, `_report` and
    `_finish`; `_ready` is whether it was set up.
    """

    def __init__(self) -> None:
        super().__init__()
        self._trained: Any = None
        self._total: int | None = None
        self._steps: int | None = None
        self._next_step = 0
        self._seen = -1
        self._batches = 0
        self._stride = 1
        self._running = False

    @property
    def _ready(self) -> bool:
        raise NotImplementedError

    def _abandon(self) -> None:
        """Undoes what a training that was interrupted left behind."""
        raise NotImplementedError

    def _set_up(self, step: int) -> None:
        """Sets constraints before a step; leaves `_ready` false where it is too early for that.

        The first step may have to build the model.
        """
        raise NotImplementedError

    def _move(self, last: int, step: int) -> None:
        """Acts on the steps after `last`, up to the one that comes next."""
        raise NotImplementedError

    def _report(self, logs: Any) -> None:
        """Puts right and logs, at the end of an epoch."""
        raise NotImplementedError

    def _finish(self) -> None:
        """Leaves a plain model, at the end of the training."""
        raise NotImplementedError

    @property
    def settled(self) -> bool:
        """Whether the weights are now what they have to be at the end of the training.

        A state of the model from before is none to go back to.
        """
        return self._ready

    def start_over(self) -> None:
        """Forgets a training that was broken off: the next one begins at its first step."""
        self._abandon()
        self._trained = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Learns how long the training is."""
        self._abandon()
        if self._trained is not self.model:
            self._trained = self.model
            self._next_step = 0
        self._steps = self.params.get("steps")
        self._stride = keras_variables.steps_per_execution(self.model)
        self._running = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Sets up before the first step.

        Not at the beginning of the training, since a callback after this one may restore a
        checkpoint there.
        """
        if not self._running:
            self._running = True
            if epoch:
                self._next_step = self._step_at(epoch)
            self._seen = self._next_step - 1
            self._count_steps(epoch)
        if not self._ready:
            self._set_up(self._next_step)

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

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Moves on to a step.

        At the begin of a step, since Keras waits for each step's result where a callback looks at
        its end.
        """
        if batch and not self._ready:
            self._set_up(self._next_step + batch)
        self._batches = batch + self._stride
        self._advance(self._next_step + batch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Moves on to the epoch's last step, and logs."""
        known = self._steps is not None
        self._next_step += self._steps or self._batches
        if not known:
            self._steps = self._batches
            self._count_steps(epoch + 1)
        self._advance(self._next_step)
        if self._ready:
            self._report(logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves a plain model."""
        if not self._ready:
            self._set_up(self._next_step)
        if self._ready:
            self._finish()

    def _advance(self, step: int) -> None:
        if self._ready and step > self._seen:
            last, self._seen = self._seen, step
            self._move(last, step)
