"""A calibration as tables."""

from tflite_squeeze.emission.calibration.record import CalibrationRecord, CalibrationStep
from tflite_squeeze.tables.table import Cell, Table


def calibration_tables(record: CalibrationRecord) -> tuple[Table, ...]:
    """What was tried, and how far the answers were from the float model's with and without it.

    Args:
        record: what `quantized_by_calibration` did.
    """
    rows: list[tuple[Cell, ...]] = [
        (step.name, f"{step.before:.3g}", f"{step.after:.3g}", _kept(step)) for step in record.steps
    ]
    judged = f"{record.held_back} other samples" if record.held_back else "the same samples"
    notes = [
        f"divergence from the float model: {record.start:.3g} with ranges from the least to the "
        f"greatest value, {record.end:.3g} in the end; found on {record.samples} samples, judged "
        f"on {judged}",
        *dict.fromkeys(note for step in record.steps if step.kept for note in step.notes),
    ]
    table = Table(
        title="Calibration",
        columns=("step", "divergence without", "with", ""),
        rows=tuple(rows),
        notes=tuple(notes),
    )
    return (table,)


def _kept(step: CalibrationStep) -> str:
    return "asked for" if step.asked else "kept" if step.kept else "not kept"
