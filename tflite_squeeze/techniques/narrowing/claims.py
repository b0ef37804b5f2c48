"""What narrowing claims of the file."""

from collections.abc import Sequence

from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.techniques.narrowing.record import NarrowRecord


def claimed(record: NarrowRecord, weights: Sequence[str]) -> dict[str, Claimed]:
    """Every layer that got narrower has so many outputs.

    Nothing is claimed of heads, which no matrix of a file has as its outputs, nor of recurrent
    layers, whose kernels the file holds gate by gate.
    """
    return {
        weight: Claimed(shape=f"{group.after} of {group.before} outputs")
        for group in record.groups
        if group.what == "channels"
        for layer in group.layers
        if f"{layer}/recurrent_kernel" not in weights
        for weight in (f"{layer}/kernel", f"{layer}/pointwise_kernel")
        if weight in weights
    }
