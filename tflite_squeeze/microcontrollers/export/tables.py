"""An export for a microcontroller, as tables."""

from tflite_squeeze.microcontrollers.export.record import MicroExportRecord
from tflite_squeeze.tables.table import Cell, Table


def micro_export_tables(record: MicroExportRecord) -> list[Table]:
    """The files written for a microcontroller, and the memory that they take there.

    Args:
        record: what `tflite_squeeze.microcontrollers.export.export.export_micro` returned.
    """
    arena = record.arena
    rows: tuple[tuple[Cell, ...], ...] = (
        ("arena in the header", record.arena_bytes),
        ("smallest that works", arena.smallest_bytes),
        ("in use once planned", arena.total_bytes),
        ("model, in flash", record.flash_bytes),
        ("golden vectors, in flash", record.golden_bytes),
    )
    dull = (
        ()
        if record.golden_tells
        else ("the golden outputs are all the same: the self-test proves little",)
    )
    kinds = ", ".join(item.name for item in record.operators)
    takes = Table(
        title=f"{record.file or record.config.name} on a microcontroller",
        columns=("", "bytes"),
        rows=rows,
        notes=(f"measured with TFLM {record.tflm}", f"registered operators: {kinds}", *dull),
    )
    files = Table(title="Files", columns=("file", "bytes"), rows=tuple(record.files.items()))
    return [takes, files]
