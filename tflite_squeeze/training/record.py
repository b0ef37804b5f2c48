"""What a technique did to a model, as records that know no Keras."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.training.config import FineTune


class _Record(BaseModel):
    # A training that diverged has no finite loss; plain JSON has no word for that.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class SkippedLayer(_Record):
    """A layer that stayed as it was, and why."""

    layer: str
    layer_type: str
    reason: str


def why_skipped(skipped: Iterable[SkippedLayer]) -> str:
    """The layers and the reasons on one line; a layer of several weights is named once."""
    return "; ".join(dict.fromkeys(f"{item.layer}: {item.reason}" for item in skipped))


class PrunedWeight(_Record):
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


class StepRecord(Displayed, _Record):
    """What every technique says of what it did to a model.

    Attributes:
        model: the model's name.
        finetune: how it was trained on; None where nothing was trained.
        skipped: every layer that stayed as it was, with its reason.
        metric: what quality is measured by: "accuracy", or "loss" where lower is better.
        before: quality before, on the validation part; None without labelled data.
        after: quality after.
        history: metric → value per epoch.
        notes: what else to know.
        seconds: how long it took.
    """

    model: str
    finetune: FineTune | None
    skipped: tuple[SkippedLayer, ...]
    metric: str
    before: float | None
    after: float | None
    history: dict[str, list[float]]
    notes: tuple[str, ...] = ()
    seconds: float


class PruneRecord(StepRecord):
    """What pruning did.

    Attributes:
        config: what was asked for.
        weights: every weight that was pruned.
        target: the sparsity that was asked for, of the selected weights.
    """

    config: Prune
    weights: tuple[PrunedWeight, ...]
    target: float

    @property
    def sparsity(self) -> float:
        """Share of zeros of all selected weights after."""
        total = sum(weight.parameters for weight in self.weights)
        return sum(weight.zeros_after for weight in self.weights) / max(1, total)

    @property
    def reached(self) -> bool:
        """Whether the target was met, to within one unit of the granularity per weight."""
        total = sum(weight.parameters for weight in self.weights)
        slack = sum(weight.unit for weight in self.weights)
        return self.sparsity >= self.target - slack / max(1, total)
