"""Distillation as tables."""

from tflite_squeeze.tables.table import Cell, Table
from tflite_squeeze.techniques.distillation.record import DistillRecord
from tflite_squeeze.training.tables import quality_note


def distill_tables(record: DistillRecord) -> list[Table]:
    """Where a student stood beside its teachers before and after.

    Args:
        record: what was done.
    """
    rows: list[tuple[Cell, ...]] = []
    if record.before is not None and record.after is not None:
        show = _percent if record.metric == "accuracy" else _number
        teacher = "" if record.teacher_quality is None else show(record.teacher_quality)
        rows.append((record.metric, teacher, show(record.before), show(record.after)))
    if record.agreement_before is not None and record.agreement_after is not None:
        agreements = _percent(record.agreement_before), _percent(record.agreement_after)
        rows.append(("same class as the teacher", "", *agreements))
    distances = _number(record.distance_before), _number(record.distance_after)
    rows.append((f"distance ({record.config.distance_name})", "", *distances))
    learnt = Table(
        title=f"Distillation of {record.model}",
        columns=("validation part", "teacher", "student before", "student after"),
        rows=tuple(rows),
        notes=(*_notes(record), *record.notes),
    )
    return [learnt, _teachers(record)]


def _percent(value: float) -> str:
    return f"{value:.2%}"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _notes(record: DistillRecord) -> list[str]:
    epochs = record.finetune.epochs if record.finetune is not None else 0
    learnt = "labels and teacher" if record.labelled else "the teacher alone, without labels"
    notes = [quality_note(record, "distillation"), f"{epochs} epochs; learnt from {learnt}"]
    cache = record.cache
    if cache.used:
        notes.append(f"the teacher's answers: {cache.reason} ({cache.size_bytes:,} bytes)")
    else:
        notes.append(f"the teacher answered in each step: {cache.reason}")
    return notes


def _teachers(record: DistillRecord) -> Table:
    return Table(
        title="Teachers" if len(record.teachers) > 1 else "Teacher",
        columns=("model", "form", "outputs", "sha256"),
        rows=tuple(
            (teacher.name, teacher.form, ", ".join(teacher.outputs), teacher.sha256[:12])
            for teacher in record.teachers
        ),
        notes=(f"the student's outputs: {', '.join(record.student_outputs)}",),
    )
