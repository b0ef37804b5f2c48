"""What L0 regularization claims of the file."""

from collections.abc import Sequence

from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.techniques.l0.record import L0Record


def claimed(record: L0Record, _weights: Sequence[str]) -> dict[str, Claimed]:
    """A weight whose gate closed stays zero."""
    return {weight.name: Claimed(zeros=weight.zeros_after) for weight in record.weights}
