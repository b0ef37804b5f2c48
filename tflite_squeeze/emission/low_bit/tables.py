"""Weights in few bits, as tables."""

from collections.abc import Sequence

from tflite_squeeze.emission.low_bit.record import FewBitTensor, LowBitRecord, NarrowedTensor
from tflite_squeeze.tables.table import Cell, Table, first_name


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
            first_name(one.tensor),
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


def narrowed_tables(records: Sequence[NarrowedTensor]) -> tuple[Table, ...]:
    """The weights whose integers fit into 4 bits, and how they are stored; no table without any.

    Args:
        records: what `narrowed` returned.
    """
    if not records:
        return ()
    before, after = (
        sum(getattr(one, name) for one in records) for name in ("bytes_before", "bytes_after")
    )
    rows: list[tuple[Cell, ...]] = [
        (first_name(one.tensor), one.operator, one.largest, one.stored, one.bytes_before,
         one.bytes_after, one.reason)
        for one in records
    ]  # fmt: skip
    table = Table(
        title="Weights of 4 bits or fewer",
        columns=("tensor", "operator", "largest", "stored", "int8 (bytes)", "now (bytes)", "why"),
        rows=tuple(rows),
        notes=(f"{before:,} bytes in 8 bits, {after:,} now, with the same numbers and scales",),
    )
    return (table,)


def few_bit_tables(records: Sequence[FewBitTensor]) -> tuple[Table, ...]:
    """Float weights that were rounded, and how their operators take them; no table without any.

    Args:
        records: what `in_few_bits` returned.
    """
    if not records:
        return ()
    before, after = (
        sum(getattr(one, name) for one in records) for name in ("bytes_before", "bytes_after")
    )
    rows: list[tuple[Cell, ...]] = [
        (one.layer or first_name(one.tensor), one.operator, one.stored, one.form,
         one.bytes_before, one.bytes_after)
        for one in records
    ]  # fmt: skip
    notes = [f"{before:,} bytes in float32, {after:,} now, scales included"]
    if any(one.form == "integers" for one in records):
        notes.append("operators that multiply integers quantize their inputs to 8 bits each run")
    table = Table(
        title="Weights in few bits",
        columns=("layer", "operator", "stored", "multiplied as", "float32 (bytes)", "now (bytes)"),
        rows=tuple(rows),
        notes=tuple(notes),
    )
    return (table,)
