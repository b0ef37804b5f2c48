"""What the reports of all techniques say alike."""

from tflite_squeeze.tables.points import points
from tflite_squeeze.tables.table import Table
from tflite_squeeze.training.record import StepRecord


def quality_note(record: StepRecord, technique: str) -> str:
    """One line of what a technique cost in quality.

    Args:
        record: what was done.
        technique: its name as a noun, such as "pruning".
    """
    if record.before is None or record.after is None:
        return f"no labelled data: what {technique} costs was not measured"
    if record.metric == "accuracy":
        change = points(record.after - record.before)
        return f"accuracy {record.before:.2%} → {record.after:.2%} ({change} points)"
    return f"{record.metric} {record.before:.4g} → {record.after:.4g}"


def skipped_tables(record: StepRecord) -> list[Table]:
    """The layers that stayed as they were, with reasons; no table where there are none."""
    if not record.skipped:
        return []
    return [
        Table(
            title="Left as they are",
            columns=("layer", "type", "reason"),
            rows=tuple((s.layer, s.layer_type, s.reason) for s in record.skipped),
        )
    ]
