"""What pruning claims of the file."""

from collections.abc import Sequence

from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.techniques.pruning.record import PruneRecord


def claimed(record: PruneRecord, _weights: Sequence[str]) -> dict[str, Claimed]:
    """Every pruned weight keeps its zeros."""
    return {weight.name: Claimed(zeros=weight.zeros_after) for weight in record.weights}
