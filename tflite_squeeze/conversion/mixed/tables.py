"""A search for layers in float as tables."""

from tflite_squeeze.conversion.mixed.record import MixedRecord
from tflite_squeeze.tables.table import Cell, Table

_SHOWN = 20


def mixed_tables(record: MixedRecord) -> tuple[Table, ...]:
    """What stays in float and why, and what that cost against int8 everywhere.

    Args:
        record: what was found.
    """
    if not record.kept and not record.int8_failures:
        return ()
    rows: list[tuple[Cell, ...]] = [
        (one.name, one.kind, None if one.loss is None else f"{one.loss:.3g}", one.without or None)
        for one in record.kept[:_SHOWN]
    ]
    more = len(record.kept) - len(rows)
    kept = Table(
        title="Kept in float",
        columns=("layer", "what", "loss alone", "without it"),
        rows=tuple(rows),
        notes=(
            *([f"and {more} more, in the JSON record"] if more else []),
            *([_measured(record)] if record.losses else []),
            *record.notes,
        ),
    )
    return kept, _cost(record)


def _measured(record: MixedRecord) -> str:
    judged = "others judged the file" if record.apart else "too few to judge the file on others"
    return (
        f"{len(record.losses)} activations and kernels were measured on {record.chosen_on} "
        f"samples, calibrated on {record.calibrated_on}; {judged}"
    )


def _cost(record: MixedRecord) -> Table:
    rows: list[tuple[Cell, ...]] = [
        ("int8", record.int8_bytes, _microseconds(record.int8_us),
         "; ".join(record.int8_failures) or "passed"),
        ("mixed", record.bytes, _microseconds(record.us), "passed" if record.passed else "failed"),
    ]  # fmt: skip
    notes: tuple[str, ...] = ()
    if record.int8_bytes:
        ratio = f"{record.bytes / record.int8_bytes:.2f} times the bytes"
        if record.us and record.int8_us:
            ratio += f" and {record.us / record.int8_us:.2f} times the time"
        notes = (f"{ratio} of int8 everywhere",)
    return Table(
        title="Beside int8 everywhere",
        columns=("file", "bytes", "time", "check"),
        rows=tuple(rows),
        notes=notes,
    )


def _microseconds(value: float | None) -> str | None:
    return None if value is None else f"{value:,.1f} µs"
