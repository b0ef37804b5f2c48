"""L0 regularization as tables."""

from tflite_squeeze.network.skipped import SkippedLayer
from tflite_squeeze.techniques.l0.config import L0
from tflite_squeeze.techniques.l0.record import L0Record
from tflite_squeeze.techniques.l0.tables import l0_tables
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.record import PrunedWeight


def test_a_row_per_weight_and_what_it_cost() -> None:
    record = L0Record(
        model="net",
        config=L0(),
        finetune=FineTune(epochs=2),
        weights=(
            PrunedWeight(
                name="a/kernel", layer_type="Dense", parameters=40, zeros_before=0, zeros_after=30
            ),
            PrunedWeight(
                name="b/kernel", layer_type="Dense", parameters=10, zeros_before=0, zeros_after=1
            ),
        ),
        skipped=(SkippedLayer(layer="norm", layer_type="Norm", reason="never changed"),),
        metric="accuracy",
        before=0.9,
        after=0.89,
        history={},
        notes=("a note",),
        seconds=1.0,
    )
    table, skipped = l0_tables(record)
    assert table.title == "L0 regularization of net: 62.00% zeros"
    assert table.rows == (("a/kernel", "Dense", 40, 30, 0.75), ("b/kernel", "Dense", 10, 1, 0.1))
    assert table.notes == ("accuracy 90.00% → 89.00% (-1.00 points)", "a note")
    assert skipped.rows == (("norm", "Norm", "never changed"),)
