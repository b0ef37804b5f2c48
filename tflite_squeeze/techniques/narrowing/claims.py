"""What narrowing claims of the file."""

from collections.abc import Sequence

from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.techniques.narrowing.record import NarrowRecord


def claimed(record: NarrowRecord, _weights: Sequence[str]) -> dict[str, Claimed]:
    """Every layer that got narrower has so many outputs."""
    return {
        f"{layer}/kernel": Claimed(shape=f"{group.after} of {group.before} outputs")
        for group in record.groups
        for layer in group.layers
    }
