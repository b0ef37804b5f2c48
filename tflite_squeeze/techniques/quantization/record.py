"""What quantization-aware training did, as a record independent of Keras."""

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.network.quantization.plan import QuantizationPlan
from tflite_squeeze.techniques.quantization.config import QuantizationAware
from tflite_squeeze.training.record import StepRecord


class QuantizedWeight(Frozen):
    """One weight that was trained on a grid.

    Attributes:
        name: layer and weight of the model, such as "conv/kernel".
        was: its name before, where normalisation and activations were not apart.
        planned: its name in the plan.
        layer_type: class of the layer.
        parameters: how many numbers it holds.
        error: ‖w - rounded‖ / ‖w‖ after the training.
        zeros_before: zeros before.
        zeros_after: zeros after, before rounding.
        shared_values: values, zero included, that it shared before and shares still; 0 for none.
    """

    name: str
    was: str
    planned: str
    layer_type: str
    parameters: int
    error: float
    zeros_before: int
    zeros_after: int
    shared_values: int


class QuantizeRecord(StepRecord):
    """The record of quantization-aware training.

    Attributes:
        config: the configuration that was used.
        plan: bits, scales and ranges of all that is quantized.
        weights: every weight that was trained on a grid.
        calibrated: quality after calibration, before any training; None without labels.
        calibrated_agreement: share of the examples that got the class that they got before, then.
        calibrated_divergence: mean distance of the answers from those before, then.
    """

    tables_by = ".tables:quantize_tables"

    config: QuantizationAware
    plan: QuantizationPlan
    weights: tuple[QuantizedWeight, ...]
    calibrated: float | None = None
    calibrated_agreement: float | None = None
    calibrated_divergence: float | None = None

    @property
    def reached(self) -> bool:
        """Whether no weight lost zeros."""
        return all(one.zeros_after >= one.zeros_before for one in self.weights)
