"""What clustering claims of the file."""

from collections.abc import Sequence

from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.techniques.sharing.record import ClusterRecord


def claimed(record: ClusterRecord, _weights: Sequence[str]) -> dict[str, Claimed]:
    """No weight has more values than its table, zero counted where it occurs."""
    return {weight.name: Claimed(distinct=weight.values) for weight in record.weights}
