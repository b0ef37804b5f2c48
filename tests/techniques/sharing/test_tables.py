"""What clustering did, as tables."""

from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.techniques.sharing.record import ClusterRecord, RefusedSharing, SharedWeight
from tflite_squeeze.techniques.sharing.tables import cluster_tables
from tflite_squeeze.training.config import FineTune

WEIGHT = SharedWeight(
    name="dense/kernel",
    layer_type="Dense",
    parameters=1000,
    clusters=16,
    tables=1,
    distinct_before=990,
    distinct_after=15,
    zeros_before=0,
    zeros_after=0,
    error=0.11,
    entropy_bytes=450,
)
RECORD = ClusterRecord(
    model="net",
    config=Cluster(clusters=16),
    finetune=FineTune(epochs=2),
    weights=(WEIGHT, WEIGHT.model_copy(update={"name": "conv/kernel", "tables": 4})),
    refused=(RefusedSharing(name="small/kernel", parameters=36, clusters=32, lut_bytes=55),),
    skipped=(),
    metric="accuracy",
    before=0.9,
    after=0.89,
    history={},
    seconds=1.0,
)


def test_the_numbers_are_there() -> None:
    table, refused = cluster_tables(RECORD)
    # Fifteen values need 4 bits: 500 bytes of indices and 15 of a table.
    assert table.rows[0] == ("dense/kernel", "1,000", "0", "990", 15, 0.11, 4, "515", "450")
    assert table.rows[1][4] == "15 per channel"
    assert "accuracy 90.00% → 89.00% (-1.00 points)" in table.notes
    assert any("(1,075 for 2,000 weights)" in note for note in table.notes)
    assert any("does not shrink the raw .tflite file" in note for note in table.notes)
    assert refused.rows == (("small/kernel", 36, 32, 55),)


def test_what_was_not_reached_is_said() -> None:
    lost = WEIGHT.model_copy(update={"zeros_before": 1})
    notes = cluster_tables(RECORD.model_copy(update={"weights": (lost,)}))[0].notes
    assert "more values than were asked for, or lost zeros: dense/kernel" in notes
