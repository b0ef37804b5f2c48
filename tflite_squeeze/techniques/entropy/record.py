"""What training with the price of bytes did, as a record independent of Keras."""

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.techniques.entropy.config import EntropyPenalty
from tflite_squeeze.training.record import StepRecord


class PricedWeight(Frozen):
    """One weight that had a price.

    Attributes:
        name: layer and weight.
        layer_type: class of the layer.
        parameters: how many numbers it holds.
        steps: what its integers are multiplied by: one number, or one for each channel.
        largest: the largest magnitude of an integer.
        distinct: how many integers occur, zero included.
        zeros_before: zeros before.
        zeros_after: zeros after.
        code_bytes: what an ideal coder needs that knows how often each integer occurs.
    """

    name: str
    layer_type: str
    parameters: int
    steps: tuple[float, ...]
    largest: int
    distinct: int
    zeros_before: int
    zeros_after: int
    code_bytes: float


class RatePoint(Frozen):
    """Rate and quality at the end of an epoch.

    Attributes:
        epoch: which, from 1 on.
        code_bytes: of all weights that have a price, as in `PricedWeight`.
        quality: accuracy or loss on held-back examples; None without labels.
        penalty: λ then.
    """

    epoch: int
    code_bytes: float
    quality: float | None
    penalty: float


class EntropyRecord(StepRecord):
    """The record of training with the price of bytes.

    Attributes:
        config: the configuration that was used.
        weights: every weight that had a price.
        curve: rate and quality by epoch.
        emptied: how many weights became zero after the training, so that the rest met a target.
    """

    tables_by = ".tables:entropy_tables"

    config: EntropyPenalty
    weights: tuple[PricedWeight, ...]
    curve: tuple[RatePoint, ...]
    emptied: int = 0

    @property
    def code_bytes(self) -> float:
        """The bytes of all weights that had a price, in an ideal coder."""
        return sum(weight.code_bytes for weight in self.weights)

    @property
    def reached(self) -> bool:
        """Whether the weights take no more bytes than were asked for."""
        target = self.config.target_bytes
        return target is None or self.code_bytes <= target
