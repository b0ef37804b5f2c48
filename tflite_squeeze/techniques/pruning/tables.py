"""Pruning as tables."""

from tflite_squeeze.tables.table import Cell, Table
from tflite_squeeze.techniques.pruning.record import PruneRecord
from tflite_squeeze.training.tables import quality_note, skipped_tables


def prune_tables(record: PruneRecord) -> list[Table]:
    """What pruning did to a model, weight by weight.

    Args:
        record: what was done.
    """
    rows: list[tuple[Cell, ...]] = [
        (
            weight.name,
            weight.layer_type,
            f"{weight.parameters:,}",
            f"{weight.zeros_after:,}",
            weight.sparsity,
        )
        for weight in record.weights
    ]
    table = Table(
        title=f"Pruning of {record.model}: {record.sparsity:.2%} zeros",
        columns=("weight", "layer", "parameters", "zeros", "sparsity"),
        rows=tuple(rows),
        notes=(*_notes(record), *record.notes),
        bar="sparsity",
    )
    return [table, *skipped_tables(record)]


def _notes(record: PruneRecord) -> list[str]:
    notes = [quality_note(record, "pruning")]
    if record.finetune is None:
        notes.append("pruned at once, without training")
    else:
        notes.append(f"trained for {record.finetune.epochs} epochs while and after pruning")
    if not record.reached:
        notes.append(f"{record.target:.2%} zeros were asked for and NOT reached")
    notes.append("zeros make the file smaller, not faster, on most targets: see convert --sparsity")
    return notes
