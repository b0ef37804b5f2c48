"""L0 regularization as tables."""

from tflite_squeeze.tables.table import Table
from tflite_squeeze.techniques.l0.record import L0Record
from tflite_squeeze.training.tables import quality_note, skipped_tables


def l0_tables(record: L0Record) -> list[Table]:
    """What L0 regularization did to a model, weight by weight.

    Args:
        record: what was done.
    """
    table = Table(
        title=f"L0 regularization of {record.model}: {record.sparsity:.2%} zeros",
        columns=("weight", "layer", "parameters", "zeros", "sparsity"),
        rows=tuple(
            (one.name, one.layer_type, one.parameters, one.zeros_after, one.sparsity)
            for one in record.weights
        ),
        notes=(quality_note(record, "L0 regularization"), *record.notes),
        bar="sparsity",
    )
    return [table, *skipped_tables(record)]
