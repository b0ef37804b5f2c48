"""What pruning did, as a record independent of Keras."""

from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.training.record import PrunedWeight, StepRecord


class PruneRecord(StepRecord):
    """The record of pruning.

    Attributes:
        config: the configuration that was used.
        weights: every weight that was pruned.
        target: the sparsity that was asked for, of the selected weights.
    """

    tables_by = ".tables:prune_tables"

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
