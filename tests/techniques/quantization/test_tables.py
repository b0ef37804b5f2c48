"""Quantization-aware training as tables."""

from tflite_squeeze.network.quantization.plan import (
    ActivationQuantization,
    QuantizationPlan,
    WeightQuantization,
)
from tflite_squeeze.network.skipped import SkippedLayer
from tflite_squeeze.techniques.quantization.config import QuantizationAware
from tflite_squeeze.techniques.quantization.record import QuantizedWeight, QuantizeRecord
from tflite_squeeze.techniques.quantization.tables import quantize_tables
from tflite_squeeze.training.config import FineTune

RECORD = QuantizeRecord(
    model="net",
    config=QuantizationAware(weights=4),
    finetune=FineTune(epochs=2),
    plan=QuantizationPlan(
        weights={"conv/kernel": WeightQuantization(bits=4, axis=-1, scale=(0.5, 0.25))},
        activations={"image": ActivationQuantization(low=0, high=1)},
    ),
    weights=(
        QuantizedWeight(
            name="conv/kernel", was="conv/kernel", planned="conv/kernel", layer_type="Conv2D",
            parameters=1800, error=0.05, zeros_before=900, zeros_after=900, shared_values=17,
        ),
    ),
    skipped=(SkippedLayer(layer="memory", layer_type="LSTM", reason="trained in float"),),
    metric="accuracy",
    before=0.9, calibrated=0.8, after=0.89, history={}, seconds=1.0,
)  # fmt: skip


def test_each_weight_has_a_row_and_what_is_left_a_table() -> None:
    table, left = quantize_tables(RECORD)
    assert table.rows == (("conv/kernel", 1800, 4, 2, 0.05, 900, 17),)
    assert table.notes[:3] == (
        "accuracy 90.00% → 89.00% (-1.00 points)",
        "1 activations in 8 bits",
        "after calibration, before the training: accuracy 80.00%",
    )
    assert left.rows == (("memory", "LSTM", "trained in float"),)


def test_without_labels_agreement_is_told() -> None:
    update = {"before": None, "after": None, "calibrated": None, "agreement": 0.95}
    record = RECORD.model_copy(update={**update, "calibrated_agreement": 0.75})
    assert quantize_tables(record)[0].notes[2].endswith("the same class as before for 75.00%")
    untrained = RECORD.model_copy(update={"finetune": None})
    assert quantize_tables(untrained)[0].notes[2] == "calibrated, without training"
    assert RECORD.reached
    lost = RECORD.weights[0].model_copy(update={"zeros_after": 899})
    assert not RECORD.model_copy(update={"weights": (lost,)}).reached
