"""What L0 regularization did, as a record independent of Keras."""

from tflite_squeeze.techniques.l0.config import L0
from tflite_squeeze.training.record import PrunedWeight, StepRecord


class L0Record(StepRecord):
    """The record of L0 regularization; the history has that of settling after that of the gates.

    Attributes:
        config: the configuration that was used.
        weights: every weight that had gates.
    """

    tables_by = ".tables:l0_tables"

    config: L0
    weights: tuple[PrunedWeight, ...]

    @property
    def sparsity(self) -> float:
        """Share of zeros of all weights that had gates."""
        total = sum(weight.parameters for weight in self.weights)
        return sum(weight.zeros_after for weight in self.weights) / max(1, total)
