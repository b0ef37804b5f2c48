"""What binarization did, as a record independent of Keras."""

from dataclasses import dataclass
from typing import Any

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.network.skipped import SkippedLayer
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.training.record import StepRecord


class BinarizedWeight(Frozen):
    """One weight that has few values now.

    Attributes:
        name: layer and weight.
        layer_type: class of the layer.
        parameters: how many numbers it holds.
        bits: what each of them needs.
        scales: how many scales it has.
        zeros: how many of its numbers are 0.
        most_values: distinct values in the output channel that has most of them.
        allowed_values: how many it may have: 2 for binary weights, 3 for ternary ones.
        input_bits: of the inputs that it meets.
    """

    name: str
    layer_type: str
    parameters: int
    bits: int
    scales: int
    zeros: int
    most_values: int
    allowed_values: int
    input_bits: int = 32

    @property
    def exact(self) -> bool:
        """Whether the claim holds: no channel has more values than it may."""
        return self.most_values <= self.allowed_values


class LayerChange(Frozen):
    """A change to the order or the type of layers."""

    layer: str
    change: str


class BinarizeRecord(StepRecord):
    """The record of binarization.

    Attributes:
        config: the configuration that was used.
        weights: every weight that was binarized.
        other_parameters: numbers of the model that were not, all in float.
        changes: what was done to the layers around them.
    """

    tables_by = ".tables:binarize_tables"

    config: Binarize
    weights: tuple[BinarizedWeight, ...]
    other_parameters: int
    changes: tuple[LayerChange, ...] = ()

    @property
    def packed_bytes(self) -> int:
        """What all numbers take where each has its bits, with scales of 4 bytes."""
        bits = sum(weight.parameters * weight.bits for weight in self.weights)
        scales = sum(weight.scales for weight in self.weights)
        return -(-bits // 8) + 4 * (scales + self.other_parameters)

    @property
    def float_bytes(self) -> int:
        """What the same numbers take in float32."""
        return 4 * (sum(weight.parameters for weight in self.weights) + self.other_parameters)

    @property
    def reached(self) -> bool:
        """Whether every binarized weight has as few values as it claims."""
        return all(weight.exact for weight in self.weights)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A model, and what was done to it.

    Attributes:
        model: the Keras model.
        weights: every weight that was binarized.
        skipped: layers that were not, with reasons.
        changes: what was done to the layers around them.
        notes: further remarks.
    """

    model: Any
    weights: tuple[BinarizedWeight, ...]
    skipped: tuple[SkippedLayer, ...]
    changes: tuple[LayerChange, ...] = ()
    notes: tuple[str, ...] = ()
