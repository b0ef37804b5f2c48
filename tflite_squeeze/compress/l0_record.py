"""What L0 regularisation did, as a record that knows no Keras."""

from pydantic import BaseModel, ConfigDict

from tflite_squeeze.compress.finetune_config import FineTune
from tflite_squeeze.compress.l0_config import L0
from tflite_squeeze.compress.records import PrunedWeight, SkippedLayer


class L0Record(BaseModel):
    """What L0 regularisation did.

    Attributes:
        model: the model's name.
        config: what was asked for.
        finetune: how it was trained, gates and settling together.
        weights: every weight that had gates.
        skipped: every layer that had none, with its reason.
        metric: what quality is measured by: "accuracy", or "loss" where lower is better.
        before: quality before, on the validation part.
        after: quality after.
        history: metric → value per epoch, those of settling after those of the gates.
        notes: what else to know.
        seconds: how long it took.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    config: L0
    finetune: FineTune
    weights: tuple[PrunedWeight, ...]
    skipped: tuple[SkippedLayer, ...]
    metric: str
    before: float | None
    after: float | None
    history: dict[str, list[float]]
    notes: tuple[str, ...] = ()
    seconds: float

    @property
    def sparsity(self) -> float:
        """Share of zeros of all weights that had gates."""
        total = sum(weight.parameters for weight in self.weights)
        return sum(weight.zeros_after for weight in self.weights) / max(1, total)
