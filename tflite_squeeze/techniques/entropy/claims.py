"""What entropy-penalized training claims of the file."""

from collections.abc import Sequence

from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.techniques.entropy.record import EntropyRecord


def claimed(record: EntropyRecord, weights: Sequence[str]) -> dict[str, Claimed]:
    """The file has the integers that were trained, and so their zeros and their bytes."""
    return {
        one.name: Claimed(
            zeros=one.zeros_after, distinct=one.distinct, steps=one.steps,
            code_bytes=one.code_bytes,
        )
        for one in record.weights
        if one.name in weights
    }  # fmt: skip
