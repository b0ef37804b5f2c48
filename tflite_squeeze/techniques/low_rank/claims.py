"""What factorization claims of the file."""

from collections.abc import Sequence

from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.techniques.low_rank.record import FactorizeRecord


def claimed(record: FactorizeRecord, weights: Sequence[str]) -> dict[str, Claimed]:
    """All factors of a layer have the shape of its rank; the last one has the layer's own name."""
    found = {}
    for split in record.layers:
        ranks, full = ("x".join(map(str, one)) for one in (split.ranks, split.full_ranks))
        for name in weights:
            layer = name.rpartition("/")[0]
            if layer == split.layer or layer.startswith(f"{split.layer}_factor_"):
                found[name] = Claimed(shape=f"rank {ranks} of {full}")
    return found
