"""What quantization-aware training claims of the file."""

from collections.abc import Sequence
from typing import Any

from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.techniques.quantization.record import QuantizedWeight, QuantizeRecord


def claimed(record: QuantizeRecord, _weights: Sequence[str]) -> dict[str, Claimed]:
    """All of the plan has its bits and scales; zeros and shared values are still there."""
    found = {one.name: _of_weight(record, one) for one in record.weights}
    for name, point in record.plan.activations.items():
        if point.bits is not None and point.scale is not None:
            found[name] = Claimed(bits=point.bits, scales=(point.scale,), activation=True)
    return found


def _of_weight(record: QuantizeRecord, one: QuantizedWeight) -> Claimed:
    planned = record.plan.weights[one.planned]
    kept: dict[str, Any] = {}
    if one.zeros_before:
        kept["zeros"] = one.zeros_before
    if one.shared_values:
        kept["distinct"] = one.shared_values
    return Claimed(bits=planned.bits, scales=planned.scale, was=one.was, **kept)
