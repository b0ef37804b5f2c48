"""What entropy-penalized training claims of the file."""

from collections.abc import Sequence
from typing import Any

from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.techniques.entropy.record import EntropyRecord, PricedWeight

# Layers whose steps an int8 file takes over; it stores tables and recurrent kernels with scales of
# its own.
_ON_GRID = (
    "Dense", "Conv1D", "Conv2D", "Conv2DTranspose", "DepthwiseConv1D", "DepthwiseConv2D",
    "SeparableConv1D", "SeparableConv2D",
)  # fmt: skip


def claimed(record: EntropyRecord, weights: Sequence[str]) -> dict[str, Claimed]:
    """The file has the integers that were trained, and so their zeros and their bytes."""
    return {one.name: _of_weight(one) for one in record.weights if one.name in weights}


def _of_weight(one: PricedWeight) -> Claimed:
    grid: dict[str, Any] = {}
    if one.layer_type in _ON_GRID:
        grid = {"steps": one.steps, "code_bytes": one.code_bytes}
    return Claimed(zeros=one.zeros_after, distinct=one.distinct, **grid)
