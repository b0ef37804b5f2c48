"""Clustering as tables."""

from tflite_squeeze.tables.table import Cell, Table
from tflite_squeeze.techniques.sharing.record import ClusterRecord
from tflite_squeeze.training.tables import quality_note, skipped_tables


def cluster_tables(record: ClusterRecord) -> list[Table]:
    """What clustering did to a model, weight by weight.

    Args:
        record: what was done.
    """
    rows: list[tuple[Cell, ...]] = [
        (
            weight.name,
            f"{weight.parameters:,}",
            f"{weight.zeros_after:,}",
            f"{weight.distinct_before:,}",
            weight.distinct_after if weight.tables == 1 else f"{weight.distinct_after} per channel",
            weight.error,
            weight.index_bits,
            f"{weight.lut_bytes:,}",
            f"{weight.entropy_bytes:,}",
        )
        for weight in record.weights
    ]
    table = Table(
        title=f"Weight clustering of {record.model}",
        columns=("weight", "parameters", "zeros", "values before", "after", "initial error",
                 "index bits", "look-up bytes", "entropy bytes"),
        rows=tuple(rows),
        notes=(*_notes(record), *record.notes),
    )  # fmt: skip
    return [table, *_refused(record), *skipped_tables(record)]


def _notes(record: ClusterRecord) -> list[str]:
    notes = [quality_note(record, "sharing")]
    if record.finetune is None:
        notes.append("clustered at once, without training")
    else:
        notes.append(f"the values were trained for {record.finetune.epochs} epochs")
    if not record.reached:
        names = ", ".join(weight.name for weight in record.weights if not weight.reached)
        notes.append(f"more values than were asked for, or lost zeros: {names}")
    parameters = sum(weight.parameters for weight in record.weights)
    needed = sum(weight.lut_bytes for weight in record.weights)
    notes.append(
        f"look-up bytes: indices and tables of int8 values, for a runtime with look-up tables "
        f"({needed:,} for {parameters:,} weights); TFLite has none, so clustering does not shrink "
        f"the raw .tflite file: it shrinks the download"
    )
    return notes


def _refused(record: ClusterRecord) -> list[Table]:
    if not record.refused:
        return []
    return [
        Table(
            title="Refused: clustering would not make these smaller",
            columns=("weight", "int8 bytes", "values", "look-up bytes"),
            rows=tuple((r.name, r.parameters, r.clusters, r.lut_bytes) for r in record.refused),
        )
    ]
