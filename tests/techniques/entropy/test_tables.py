"""Entropy-penalized training as tables."""

from tflite_squeeze.techniques.entropy.config import EntropyPenalty
from tflite_squeeze.techniques.entropy.record import EntropyRecord, PricedWeight, RatePoint
from tflite_squeeze.techniques.entropy.tables import entropy_tables


def weight(**changed):
    values = {
        "name": "dense/kernel", "layer_type": "Dense", "parameters": 1000, "steps": (0.25,),
        "largest": 3, "distinct": 5, "zeros_before": 0, "zeros_after": 900, "code_bytes": 80.4,
    }  # fmt: skip
    return PricedWeight(**{**values, **changed})


def record(**changed):
    values = {
        "model": "net", "finetune": None, "skipped": (), "metric": "accuracy", "before": 0.9,
        "after": 0.89, "history": {}, "seconds": 1.0, "config": EntropyPenalty(target_bytes=100),
        "weights": (weight(), weight(name="dense/bias", steps=(0.1, 0.2), code_bytes=9.0)),
        "curve": (RatePoint(epoch=1, code_bytes=120.0, quality=0.88, penalty=0.2),),
        "emptied": 2,
    }  # fmt: skip
    return EntropyRecord(**{**values, **changed})


def test_a_row_for_each_weight_and_each_epoch():
    whole, curve = entropy_tables(record())
    assert whole.title == "Entropy-penalized training of net: 89 bytes"
    assert whole.rows[0] == ("dense/kernel", "1,000", "900", 5, 3, "0.25", "80")
    assert whole.rows[1][5] == "2, one a channel"
    assert curve.rows == ((1, "120", 0.88, 0.2),)
    assert "a code of 100 bytes was asked for: λ 0.2 in the end" in whole.notes
    assert "2 weights of one step became zero to meet the target" in whole.notes


def test_a_target_that_was_missed_is_told():
    missed = record(config=EntropyPenalty(target_bytes=50))
    assert not missed.reached
    assert "the target was missed: 89 bytes" in entropy_tables(missed)[0].notes
    assert record(config=EntropyPenalty()).reached
