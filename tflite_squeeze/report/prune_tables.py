"""Pruning as tables."""

from tflite_squeeze.compress.records import PruneRecord
from tflite_squeeze.report.table import Cell, Table


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
    tables = [
        Table(
            title=f"Pruning of {record.model}: {record.sparsity:.2%} zeros",
            columns=("weight", "layer", "parameters", "zeros", "sparsity"),
            rows=tuple(rows),
            notes=(*_notes(record), *record.notes),
            bar="sparsity",
        )
    ]
    if record.skipped:
        tables.append(
            Table(
                title="Left as they are",
                columns=("layer", "type", "reason"),
                rows=tuple((s.layer, s.layer_type, s.reason) for s in record.skipped),
            )
        )
    return tables


def _notes(record: PruneRecord) -> list[str]:
    notes = []
    if record.before is not None and record.after is not None:
        if record.metric == "accuracy":
            change = 100 * (record.after - record.before)
            notes.append(
                f"accuracy {record.before:.2%} → {record.after:.2%} ({change:+.2f} points)"
            )
        else:
            notes.append(f"{record.metric} {record.before:.4g} → {record.after:.4g}")
    else:
        notes.append("no labelled data: what pruning costs was not measured")
    if record.finetune is None:
        notes.append("pruned at once, without training")
    else:
        notes.append(f"trained for {record.finetune.epochs} epochs while and after pruning")
    if not record.reached:
        notes.append(f"{record.target:.2%} zeros were asked for and NOT reached")
    notes.append("zeros make the file smaller, not faster, on most targets: see convert --sparsity")
    return notes
