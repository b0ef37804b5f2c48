"""How far the answers of a changed model are from those of the original; no labels are needed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.training.config import OutputKind
from tflite_squeeze.training.teaching.losses import kl, mse
from tflite_squeeze.training.teaching.output_kinds import as_logits, kind_by_values, kinds_by_graph

Array = NDArray[Any]

_SMALLEST = 1e-7  # probability: what is rarer is noise of float32


class Divergence:
    """Compares answers with those that a model gave before it was changed.

    Of classes it is the mean KL divergence, in nats; of other numbers the mean squared error over
    the variance of the original's answers. Several outputs add up.

    Args:
        model: the original, of either version of Keras; only the kinds of its outputs are read.
        answers: its own to some examples, (N, ...) by output.

    Reference: Kullback and Leibler 1951, "On Information and Sufficiency".

    Example:
        >>> Divergence(model, [answers]).of([answers])
        0.0
    """

    def __init__(self, model: Any, answers: Sequence[Array]) -> None:
        self._answers = [np.asarray(answer) for answer in answers]
        self._kinds: list[OutputKind] = [
            kind or kind_by_values(answer) or "values"
            for kind, answer in zip(kinds_by_graph(model), self._answers, strict=True)
        ]

    def of(self, answers: Sequence[Array]) -> float:
        """The divergence of other answers to the same examples.

        Args:
            answers: (N, ...) by output, of the same shapes.

        Returns:
            0 for equal answers; infinite where one is no number.
        """
        total = 0.0
        for kind, known, found in zip(self._kinds, self._answers, answers, strict=True):
            if not np.isfinite(found).all():
                return float("inf")
            if kind == "values":
                spread = float(np.var(known, dtype=np.float64))
                total += float(np.mean(mse(known, found))) / max(spread, 1e-12)
            else:
                before, after = (as_logits(one, kind, smallest=_SMALLEST) for one in (known, found))
                total += max(0.0, float(np.mean(kl(before, after))))
        return total
