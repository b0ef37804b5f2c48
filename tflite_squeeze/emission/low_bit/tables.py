"""Weights in few bits, as tables."""

from tflite_squeeze.emission.low_bit.record import LowBitRecord
from tflite_squeeze.tables.table import Cell, Table


def low_bit_tables(record: LowBitRecord) -> tuple[Table, ...]:
    """How weights of two or three values are stored, and what that saves and costs.

    Args:
        record: what `with_low_bits` returned.
    """
    files: list[tuple[Cell, ...]] = [
        (name, f"{size:,}", _time(record, name), _kept(record, name))
        for name, size in record.raw_bytes.items()
    ]
    notes = [record.reason]
    if record.stored:
        notes.append("the weights in the file are exactly the trained ones, read back and compared")
        notes.append("the runtime quantizes the inputs of these layers to 8 bits on the way in")
    forms = Table(
        title="Weights of two or three values",
        columns=("Dense weights", "file (bytes)", "run, in turns (us)", ""),
        rows=tuple(files),
        notes=tuple(notes),
    )
    return (forms, _tensors(record)) if record.tensors else (forms,)


def _time(record: LowBitRecord, name: str) -> str:
    return f"{record.median_us[name]:.1f}" if name in record.median_us else ""


def _kept(record: LowBitRecord, name: str) -> str:
    return "written" if name == (record.stored or "float32") else ""


def _tensors(record: LowBitRecord) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            one.tensor,
            one.operator,
            one.values,
            one.stored,
            f"{one.bytes_before:,}",
            f"{one.bytes_after:,}",
            one.reason,
        )
        for one in record.tensors
    ]
    return Table(
        title="Where they are",
        columns=("tensor", "operator", "values", "stored", "before", "after (bytes)", "why"),
        rows=tuple(rows),
    )
