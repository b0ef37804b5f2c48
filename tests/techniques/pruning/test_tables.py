"""Pruning as tables."""

import math
from typing import Any

from tflite_squeeze.network.skipped import SkippedLayer
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.record import PruneRecord
from tflite_squeeze.techniques.pruning.tables import prune_tables
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.record import PrunedWeight

HIDDEN = PrunedWeight(
    name="hidden/kernel", layer_type="Dense", parameters=3000, zeros_before=0, zeros_after=2700
)
SCORES = PrunedWeight(
    name="scores/kernel", layer_type="Dense", parameters=1000, zeros_before=5, zeros_after=500
)


def _record(**values: Any) -> PruneRecord:
    sound: dict[str, Any] = {
        "model": "net",
        "config": Prune(sparsity=0.8),
        "finetune": None,
        "weights": (HIDDEN, SCORES),
        "skipped": (),
        "target": 0.8,
        "metric": "accuracy",
        "before": 0.9,
        "after": 0.875,
        "history": {},
        "notes": ("a note on the data",),
        "seconds": 1.0,
    }
    return PruneRecord(**{**sound, **values})


def test_a_row_per_weight() -> None:
    (table,) = prune_tables(_record())
    assert table.title == "Pruning of net: 80.00% zeros"
    assert table.rows == (
        ("hidden/kernel", "Dense", "3,000", "2,700", 0.9),
        ("scores/kernel", "Dense", "1,000", "500", 0.5),
    )
    assert table.bar == "sparsity"
    assert table.shown("sparsity", 0.9) == "90.0%"


def test_notes_say_what_it_cost() -> None:
    (table,) = prune_tables(_record())
    assert table.notes == (
        "accuracy 90.00% → 87.50% (-2.50 points)",
        "pruned at once, without training",
        "zeros make the file smaller, not faster, on most targets: see convert --sparsity",
        "a note on the data",
    )
    notes = prune_tables(
        _record(metric="loss", before=0.5, after=0.25, finetune=FineTune(epochs=7))
    )[0].notes
    assert notes[:2] == ("loss 0.5 → 0.25", "trained for 7 epochs while and after pruning")


def test_without_labels_the_cost_is_said_to_be_unknown() -> None:
    notes = prune_tables(_record(before=None, after=None))[0].notes
    assert notes[0] == "no labelled data: the cost of pruning in quality was not measured"


def test_a_target_that_was_missed_is_told() -> None:
    for config in (Prune(sparsity=0.9), Prune(sparsity=0.9, layers={"scores": 0.9})):
        record = _record(target=0.9, config=config)
        assert "90.00% zeros were asked for and NOT reached" in prune_tables(record)[0].notes
    # One unit of the granularity per weight is no miss.
    assert not any("NOT" in note for note in prune_tables(_record(target=0.8004))[0].notes)
    by_threshold = _record(target=0.0, config=Prune(threshold=0.1))
    assert not any("NOT" in note for note in prune_tables(by_threshold)[0].notes)


def test_layers_left_alone_have_a_table() -> None:
    skipped = SkippedLayer(layer="norm", layer_type="LayerNormalization", reason="never changed")
    _, left = prune_tables(_record(skipped=(skipped,)))
    assert left.rows == (("norm", "LayerNormalization", "never changed"),)


def test_a_record_of_a_training_that_diverged_round_trips() -> None:
    record = _record(metric="loss", after=math.inf, history={"loss": [0.5, math.nan]})
    found = PruneRecord.model_validate_json(record.model_dump_json())
    assert found.after == math.inf
    assert found.history["loss"][0] == 0.5
    assert math.isnan(found.history["loss"][1])
    assert prune_tables(found)[0].notes[0] == "loss 0.9 → inf"
