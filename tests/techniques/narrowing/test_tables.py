"""Narrower layers as tables."""

from tflite_squeeze.techniques.narrowing.claims import claimed
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.record import NarrowedGroup, NarrowRecord, RefusedNarrowing
from tflite_squeeze.techniques.narrowing.tables import narrow_tables


def _record(**values) -> NarrowRecord:
    sound = {
        "model": "net",
        "config": Narrow(),
        "finetune": None,
        "groups": (NarrowedGroup(layers=("a", "b"), before=32, after=20, dead=12),),
        "refused": (),
        "parameters_before": 4000,
        "parameters_after": 1500,
        "skipped": (),
        "metric": "loss",
        "before": 0.5,
        "after": 0.25,
        "history": {},
        "seconds": 1.0,
    }
    return NarrowRecord(**{**sound, **values})


def test_a_row_per_group() -> None:
    (table,) = narrow_tables(_record())
    assert table.rows == (("a, b", 32, 20, 12),)
    assert table.notes == (
        "4,000 → 1,500 parameters", "channels were ranked by norm", "loss 0.5 → 0.25",
    )  # fmt: skip


def test_what_keeps_its_width_says_why() -> None:
    refused = RefusedNarrowing(layers=("c",), channels=8, reason="an output")
    _, kept = narrow_tables(_record(refused=(refused,)))
    assert kept.rows == (("c", 8, "an output"),)


def test_heads_are_told_from_channels() -> None:
    heads = NarrowedGroup(layers=("m",), what="heads", before=4, after=2, dead=0)
    record = _record(groups=(heads,))
    assert narrow_tables(record)[0].rows[0][0] == "m (heads)"
    assert claimed(record, ["m/kernel"]) == {}


def test_what_is_claimed_of_the_file() -> None:
    """Kernels that the model has, but for those of recurrent layers."""
    group = NarrowedGroup(layers=("a", "s", "r", "gone"), before=8, after=4, dead=0)
    weights = ["a/kernel", "s/depthwise_kernel", "s/pointwise_kernel", "r/kernel",
               "r/recurrent_kernel"]  # fmt: skip
    found = claimed(_record(groups=(group,)), weights)
    assert list(found) == ["a/kernel", "s/pointwise_kernel"]
    assert found["a/kernel"].shape == "4 of 8 outputs"
