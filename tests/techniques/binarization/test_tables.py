"""Binarization as tables."""

from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.techniques.binarization.record import (
    BinarizedWeight,
    BinarizeRecord,
    LayerChange,
)
from tflite_squeeze.techniques.binarization.tables import binarize_tables
from tflite_squeeze.training.config import FineTune

WEIGHT = BinarizedWeight(
    name="conv/kernel",
    layer_type="QuantConv2D",
    parameters=800,
    bits=1,
    scales=0,
    zeros=0,
    most_values=2,
    allowed_values=2,
    input_bits=1,
)
RECORD = BinarizeRecord(
    model="net",
    config=Binarize(),
    finetune=FineTune(epochs=4),
    weights=(WEIGHT,),
    other_parameters=25,
    changes=(LayerChange(layer="relu", change="taken out"),),
    skipped=(),
    metric="accuracy",
    before=0.9,
    after=0.875,
    history={"flip_ratio/conv/kernel": [0.2, 0.0125]},
    seconds=1.0,
)


def test_bits_and_bytes() -> None:
    weights, changes = binarize_tables(RECORD)
    assert weights.title == "Binarization of net: 200 bytes of weights, packed"
    assert weights.rows == (("conv/kernel", "QuantConv2D", "800", 1, 1, 0, "0.0%", "1.25%"),)
    assert "3,300 bytes in float32, 16.5 times as many" in weights.notes
    assert "accuracy 90.00% → 87.50% (-2.50 points)" in weights.notes
    assert any("--runtime larq" in note for note in weights.notes)
    assert changes.rows == (("relu", "taken out"),)


def test_float_inputs_and_no_training() -> None:
    config = Binarize(weights="ternary", inputs="float")
    weight = WEIGHT.model_copy(update={"input_bits": 32})
    changed = {"config": config, "finetune": None, "weights": (weight,), "history": {}}
    weights, _ = binarize_tables(RECORD.model_copy(update=changed))
    assert weights.rows[0][4] == "float"
    assert weights.rows[0][-1] == ""
    assert any("without training" in note for note in weights.notes)
    assert any("--low-bit" in note for note in weights.notes)
