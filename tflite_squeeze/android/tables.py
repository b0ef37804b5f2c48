"""An export for Android as tables."""

from tflite_squeeze.android.interface import AndroidTensor
from tflite_squeeze.android.record import AndroidRecord
from tflite_squeeze.tables.table import Cell, Table, shape_text


def android_tables(record: AndroidRecord) -> list[Table]:
    """What was written, and how the class is called.

    Args:
        record: of the export.
    """
    return [_interface(record), _files(record)]


def _interface(record: AndroidRecord) -> Table:
    rows: list[tuple[Cell, ...]] = [_row("input", one, None) for one in record.interface.inputs]
    rows += [
        _row("output", one, record.tolerances.get(one.name)) for one in record.interface.outputs
    ]
    notes = [
        f"runs with {', '.join(record.dependencies)}",
        f"TFLite metadata: {record.metadata}"
        + (f", with {len(record.labels)} labels" if record.labels else ""),
    ]
    if record.cases:
        inputs = "real samples" if record.real_samples else "made-up inputs"
        notes.append(f"{record.cases} golden vectors of {inputs}, computed by LiteRT's interpreter")
    return Table(
        title=f"{record.config.package}.{record.class_name}",
        columns=("", "Kotlin", "shape", "tensor", "tolerance"),
        rows=tuple(rows),
        notes=(*notes, *record.notes),
    )


def _row(what: str, one: AndroidTensor, tolerance: float | None) -> tuple[Cell, ...]:
    kotlin = f"{one.identifier}: {one.array}"
    return (what, kotlin, shape_text(one.shape), one.dtype, tolerance)


def _files(record: AndroidRecord) -> Table:
    return Table(
        title="Files",
        columns=("file", "bytes"),
        rows=tuple((file.path, file.bytes) for file in record.files),
    )
