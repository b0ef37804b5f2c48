from collections.abc import Sequence

from tests.techniques.rounding.record import RoundRecord
from tflite_squeeze.techniques.claimed import Claimed


def claimed(record: RoundRecord, _weights: Sequence[str]) -> dict[str, Claimed]:
    return {name: Claimed(distinct=count) for name, count in record.values.items()}
