"""What a step has lost, where that is more than its recipe allows, or nearly all there was."""

from typing import Any, Protocol

import numpy as np

from tflite_squeeze.data.data import Data
from tflite_squeeze.recipes.form import Form
from tflite_squeeze.recipes.recipe import Step
from tflite_squeeze.training.record import StepRecord, lost

# A model this much better than guessing has something to lose, and has lost it where less than a
# tenth of that is left.
_BETTER, _LEFT = 0.1, 0.1


class Compared(Protocol):
    """What a step is compared with."""

    @property
    def form(self) -> Form:
        """How the model before the first step is judged."""

    @property
    def given(self) -> float | None:
        """The quality of that model; None without labels."""


def losses_of(
    step: Step, record: StepRecord, before: Compared, model: Any, data: Data | None
) -> tuple[str, ...]:
    """What a step has lost too much of, one line each; none where all is well.

    Args:
        step: has the limits.
        record: what the technique says of what it did.
        before: the model that was given.
        model: the changed one.
        data: fitted to it.
    """
    if record.broken:
        return (f"after {step.technique} the model answers with what is no number",)
    if record.after is not None and before.given is not None:
        fallen = lost(record.metric, before.given, record.after)
        if step.max_drop is not None and fallen > step.max_drop:
            return (
                f"{record.metric} is worse than at the beginning by {fallen:.4f}, more than "
                f"{step.max_drop:g}",
            )
        return _guesses(record, before, data)
    if step.min_agreement is None or data is None or before.given is not None:
        return ()
    agreement = before.form.agreement(model, data)
    if agreement is None or agreement >= step.min_agreement:
        return ()
    return (
        f"the model predicts the same class as at the beginning for {agreement:.4f} of the "
        f"examples, fewer than {step.min_agreement:g}",
    )


def _guesses(record: StepRecord, before: Compared, data: Data | None) -> tuple[str, ...]:
    """Whether a model does little more than always to answer the most frequent class."""
    given = before.given
    if data is None or given is None or record.after is None or record.metric != "accuracy":
        return ()
    guess = guessing(before.form.labels(data))
    if given - guess < _BETTER or record.after - guess > _LEFT * (given - guess):
        return ()
    return (
        f"accuracy fell from {given:.4f} to {record.after:.4f}, and always answering the most "
        f"frequent class gets {guess:.4f}",
    )


def guessing(labels: Any) -> float:
    """The accuracy of always answering the most frequent class.

    Args:
        labels: ids of shape (N,) or (N, 1), or one-hot rows of shape (N, classes).

    Example:
        >>> guessing([0, 1, 1, 2])
        0.5
    """
    known = np.asarray(labels)
    ids = np.argmax(known, axis=1) if known.ndim == 2 and known.shape[1] > 1 else known.ravel()
    return float(np.unique(ids, return_counts=True)[1].max() / len(ids))
