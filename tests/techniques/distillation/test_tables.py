"""Distillation as tables."""

from typing import Any

from tflite_squeeze.techniques.distillation.record import DistillRecord, TeacherRecord
from tflite_squeeze.techniques.distillation.tables import distill_tables
from tflite_squeeze.training.config import Distill, FineTune
from tflite_squeeze.training.record import CacheRecord

TEACHER = TeacherRecord(name="big", form="tflite", sha256="0123456789abcdef", outputs=("softmax",))


def _record(**values: Any) -> DistillRecord:
    sound: dict[str, Any] = {
        "model": "small",
        "config": Distill(),
        "finetune": FineTune(epochs=7),
        "skipped": (),
        "metric": "accuracy",
        "before": 0.1,
        "after": 0.975,
        "history": {},
        "notes": ("a note on the data",),
        "seconds": 1.0,
        "teachers": (TEACHER,),
        "student_outputs": ("logits",),
        "labelled": True,
        "cache": CacheRecord(used=True, reason="computed once", size_bytes=2400),
        "teacher_quality": 0.99,
        "distance_before": 2.5,
        "distance_after": 0.125,
        "agreement_before": 0.11,
        "agreement_after": 0.98,
    }
    return DistillRecord(**{**sound, **values})


def test_the_student_beside_its_teacher() -> None:
    learnt, teachers = distill_tables(_record())
    assert learnt.title == "Distillation of small"
    assert learnt.rows == (
        ("accuracy", "99.00%", "10.00%", "97.50%"),
        ("same class as the teacher", "", "11.00%", "98.00%"),
        ("distance (kl)", "", "2.5", "0.125"),
    )
    assert learnt.notes == (
        "accuracy 10.00% → 97.50% (+87.50 points)",
        "7 epochs; learnt from labels and teacher",
        "the teacher's answers: computed once (2,400 bytes)",
        "a note on the data",
    )
    assert teachers.rows == (("big", "tflite", "softmax", "0123456789ab"),)
    assert teachers.notes == ("the student's outputs: logits",)


def test_without_labels_and_classes() -> None:
    record = _record(
        before=None, after=None, labelled=False, teacher_quality=None, agreement_before=None,
        agreement_after=None, cache=CacheRecord(used=False, reason="not wanted"),
        teachers=(TEACHER, TEACHER), config=Distill(distance="mse"),
    )  # fmt: skip
    learnt, teachers = distill_tables(record)
    assert learnt.rows == (("distance (mse)", "", "2.5", "0.125"),)
    assert "learnt from the teacher alone, without labels" in learnt.notes[1]
    assert learnt.notes[2] == "the teacher answered in each step: not wanted"
    assert teachers.title == "Teachers"


def test_what_counts_as_reached() -> None:
    assert _record().reached
    assert not _record(after=0.09).reached
    assert _record(metric="loss", before=2.0, after=1.0).reached
    unlabelled = _record(before=None, after=None)
    assert unlabelled.reached
    assert not unlabelled.model_copy(update={"distance_after": 3.0}).reached
