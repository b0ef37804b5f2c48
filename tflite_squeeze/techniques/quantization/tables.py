"""Quantization-aware training as tables."""

from tflite_squeeze.tables.table import Cell, Table
from tflite_squeeze.techniques.quantization.record import QuantizedWeight, QuantizeRecord
from tflite_squeeze.training.tables import quality_note, skipped_tables


def quantize_tables(record: QuantizeRecord) -> list[Table]:
    """What quantization-aware training did to a model, weight by weight.

    Args:
        record: what was done.
    """
    table = Table(
        title=f"Quantization of {record.model}",
        columns=("weight", "parameters", "bits", "scales", "error", "zeros", "shared values"),
        rows=tuple(_row(record, one) for one in record.weights),
        notes=(*_notes(record), *record.notes),
    )
    return [table, *skipped_tables(record)]


def _row(record: QuantizeRecord, one: QuantizedWeight) -> tuple[Cell, ...]:
    planned = record.plan.weights[one.planned]
    return (
        one.name, one.parameters, planned.bits, len(planned.scale or ()), one.error,
        one.zeros_after, one.shared_values or None,
    )  # fmt: skip


def _notes(record: QuantizeRecord) -> list[str]:
    points = record.plan.activations.values()
    bits = sorted({one.bits for one in points if one.bits})
    notes = [
        quality_note(record, "quantization"),
        f"{len(points)} activations in {' and '.join(map(str, bits))} bits",
    ]
    if record.finetune is None:
        notes.append("calibrated, without training")
    elif record.calibrated is not None:
        accuracy = record.metric == "accuracy"
        said = f"{record.calibrated:.2%}" if accuracy else f"{record.calibrated:.4g}"
        notes.append(f"after calibration, before the training: {record.metric} {said}")
    elif record.calibrated_agreement is not None:
        notes.append(
            f"after calibration, before the training: the same class as before for "
            f"{record.calibrated_agreement:.2%}"
        )
    return notes
