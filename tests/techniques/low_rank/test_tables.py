"""Factorization as tables."""

from tflite_squeeze.tables.markdown import to_markdown
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.record import (
    FactorizeRecord,
    LayerTime,
    Refusal,
    Repair,
    Spending,
    Split,
    Trial,
)
from tflite_squeeze.techniques.low_rank.tables import factorize_tables

SPLIT = Split(
    layer="dense", layer_type="Dense", scheme="channel", ranks=(16,), full_ranks=(300,),
    parameters_before=235_200, parameters_after=17_344, macs_before=235_200, macs_after=17_344,
    error=0.25, data_aware=True, time=LayerTime(whole_us=17.4, split_us=1.5, ratio=0.09),
)  # fmt: skip


def _record(**changes: object) -> FactorizeRecord:
    fields = {
        "model": "net", "config": Factorize(rank=16), "layers": (SPLIT,), "refused": (),
        "parameters_before": 1000, "parameters_after": 100, "macs_before": 2000,
        "macs_after": 500, "finetune": None, "skipped": (), "metric": "accuracy",
        "before": 0.9, "after": 0.85, "history": {}, "seconds": 1.0,
    }  # fmt: skip
    return FactorizeRecord(**{**fields, **changes})


def test_what_was_split_and_refused() -> None:
    tucker = SPLIT.model_copy(update={"scheme": "tucker", "ranks": (4, 8), "full_ranks": (16, 32)})
    refusal = Refusal(split=tucker, reason="measured: it takes 1.10 times as long")
    time = LayerTime(whole_us=20, split_us=10, ratio=0.5)
    text = to_markdown(factorize_tables(_record(refused=(refusal,), file_time=time)))
    assert "235,200 → 17,344" in text
    assert "17.4 → 1.5 us" in text
    assert "4 + 8" in text
    assert "1.10 times as long" in text
    assert "accuracy 90.00% → 85.00% (-5.00 points)" in text
    assert "multiply-accumulates 2,000 → 500 (25.0%)" in text
    assert "2.00 times as fast" in text
    assert "NOT reached" not in text


def test_what_was_missed_is_said() -> None:
    text = to_markdown(factorize_tables(_record(layers=())))
    assert "NOT reached: no layer was split" in text
    missed = _record(config=Factorize(macs_ratio=0.2))
    assert missed.shortfalls == ("25.00% of the macs are left, not 20.00%",)
    slow = _record(file_time=LayerTime(whole_us=1, split_us=2, ratio=2.0))
    assert not slow.reached
    off = _record(config=Factorize(max_error=0.1, ranks={"other": 1}))
    assert off.shortfalls == ("dense is off by 25.00%, more than 10.00%",)
    assert _record(config=Factorize(max_error=0.1, ranks={"dense": 16})).reached


def test_how_a_budget_was_spent_and_what_the_repair_gained() -> None:
    trials = (
        Trial(by="divergence^1", divergence=0.05, repaired=0.02),
        Trial(by="energy", divergence=0.07),
    )
    spent = Spending(unit="macs", keep=0.5, by="divergence", samples=128, trials=trials)
    repair = Repair(layers=9, samples=384, held_back=128, before=0.05, after=0.02)
    config = Factorize(budget="macs", keep=0.5)
    text = to_markdown(
        factorize_tables(_record(config=config, allocation=spent, repair=repair, macs_after=1200))
    )
    assert "| divergence^1 | 0.05 | 0.02 |" in text
    assert "9 layers solved by least squares on 384 unlabelled samples: divergence" in text
    assert "NOT reached: 60.00% of the macs are left, not 50.00%" in text
    spent = Spending(unit="macs", keep=0.5, by="energy", samples=0, trials=())
    worse = repair.model_copy(update={"after": 0.06})
    text = to_markdown(factorize_tables(_record(config=config, allocation=spent, repair=worse)))
    assert "ranks by the energy of singular values" in text
    assert "samples, not kept: divergence" in text
    assert "Allocations" not in text
