"""What binarization claims of the file."""

from collections.abc import Sequence

from tflite_squeeze.techniques.binarization.record import BinarizeRecord
from tflite_squeeze.techniques.claimed import Claimed


def claimed(record: BinarizeRecord, _weights: Sequence[str]) -> dict[str, Claimed]:
    """No output channel has more values than were counted."""
    return {weight.name: Claimed(distinct=weight.most_values) for weight in record.weights}
