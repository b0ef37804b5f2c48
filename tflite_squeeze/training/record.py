"""What a technique did to a model, as records independent of Keras."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.network.skipped import SkippedLayer
from tflite_squeeze.network.weights import Target
from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.tables.table import points
from tflite_squeeze.training.config import FineTune


class PrunedWeight(Frozen):
    """One weight before and after.

    Attributes:
        name: layer and weight.
        layer_type: class of the layer.
        parameters: how many numbers it holds.
        zeros_before: zeros among them before.
        zeros_after: zeros among them after.
        unit: how many weights are zeroed as one.
    """

    name: str
    layer_type: str
    parameters: int
    zeros_before: int
    zeros_after: int
    unit: int = 1

    @property
    def sparsity(self) -> float:
        """Share of zeros after."""
        return self.zeros_after / self.parameters


class StepRecord(Displayed):
    """The record of what a technique did to a model.

    Attributes:
        model: the model's name.
        finetune: how it was trained on; None where nothing was trained.
        skipped: every layer that stayed as it was, with its reason.
        metric: what quality is measured by: "accuracy", or "loss" where lower is better.
        before: quality before, on the validation part; None without labelled data.
        after: quality after.
        agreement: share of the examples that get the class that they got before; None without
            samples, or where the model does not classify.
        divergence: mean distance of the answers from those of the model as it was, of classes the
            KL divergence in nats, of numbers the squared error over their variance; None without
            samples.
        examples: on how many examples quality was measured, without labels agreement.
        interval: 95 % interval of the accuracy after, without labels of the agreement; None where
            the model does not classify.
        history: metric → value per epoch.
        notes: further remarks.
        seconds: how long it took.
    """

    pictures_by = {"training by epoch": ".tables:training_plot"}

    model: str
    finetune: FineTune | None
    skipped: tuple[SkippedLayer, ...]
    metric: str
    before: float | None
    after: float | None
    agreement: float | None = None
    divergence: float | None = None
    examples: int | None = None
    interval: tuple[float, float] | None = None
    history: dict[str, list[float]]
    notes: tuple[str, ...] = ()
    seconds: float

    @property
    def broken(self) -> bool:
        """Whether the model answers with what is no number."""
        return self.divergence is not None and math.isinf(self.divergence)

    def lost_more_than(self, most: float) -> str | None:
        """What was lost, if that is more than a limit; None where it is not, or not measured.

        Args:
            most: of the accuracy, as a fraction; without labels of the agreement with the model
                as it was.
        """
        remedy = "train for longer, ask for less, or raise --max-drop"
        limit = f"more than --max-drop {100 * most:g} points: {remedy}"
        if self.broken:
            return "it answers with what is no number: train with a lower --learning-rate"
        if self.before is not None and self.after is not None:
            if self.metric != "accuracy" or self.before - self.after <= most:
                return None
            return (
                f"its accuracy fell from {self.before:.2%} to {self.after:.2%} "
                f"({points(self.after - self.before)} points), {limit}"
            )
        if self.agreement is None or 1 - self.agreement <= most:
            return None
        return (
            f"it agrees with the model as it was on {self.agreement:.2%} of the examples, {limit}"
        )


class CacheRecord(Frozen):
    """Whether the teachers' answers were computed once.

    Attributes:
        used: whether they were.
        reason: why not, or where they came from.
        size_bytes: of the files.
    """

    used: bool
    reason: str
    size_bytes: int = 0


def lost(metric: str, whole: float, value: float) -> float:
    """How much worse a model became.

    Args:
        metric: "accuracy", or "loss" where lower is better.
        whole: quality before.
        value: quality after.

    Returns:
        The fall of the accuracy, or the relative rise of the loss; negative where it became
        better.

    Example:
        >>> lost("loss", 0.5, 0.75)
        0.5
    """
    if metric == "accuracy":
        return whole - value
    return (value - whole) / max(abs(whole), 1e-12)


def zeros_of(variable: Any) -> int:
    """How many values of a Keras variable are zero."""
    return int(np.sum(np.asarray(variable) == 0))


def weight_records(
    targets: Sequence[Target],
    before: Sequence[int],
    unit_of: Callable[[Target], int] = lambda _: 1,
) -> tuple[PrunedWeight, ...]:
    """Counts the zeros of each weight now.

    Args:
        targets: the weights.
        before: zeros of each before.
        unit_of: how many weights of a target are zeroed as one.
    """
    return tuple(
        PrunedWeight(
            name=target.name,
            layer_type=target.layer_type,
            parameters=target.size,
            zeros_before=zeros,
            zeros_after=zeros_of(target.variable),
            unit=unit_of(target),
        )
        for target, zeros in zip(targets, before, strict=True)
    )
