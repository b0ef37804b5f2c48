"""Narrower layers as tables."""

from tflite_squeeze.tables.table import Table
from tflite_squeeze.techniques.narrowing.record import NarrowRecord
from tflite_squeeze.training.tables import quality_note, skipped_tables


def narrow_tables(record: NarrowRecord) -> list[Table]:
    """What narrowing did to a model, one group of layers of the same width at a time.

    Args:
        record: what was done.
    """
    narrowed = Table(
        title=f"Narrowing of {record.model}",
        columns=("layers", "channels before", "after", "removed, all zero"),
        rows=tuple(
            (", ".join(group.layers), group.before, group.after, group.dead)
            for group in record.groups
        ),
        notes=(
            f"{record.parameters_before:,} → {record.parameters_after:,} parameters",
            quality_note(record, "narrowing"),
            *record.notes,
        ),
    )
    return [narrowed, *_refused(record), *skipped_tables(record)]


def _refused(record: NarrowRecord) -> list[Table]:
    if not record.refused:
        return []
    return [
        Table(
            title="Unchanged layers",
            columns=("layers", "channels", "reason"),
            rows=tuple(
                (", ".join(group.layers), group.channels, group.reason) for group in record.refused
            ),
        )
    ]
