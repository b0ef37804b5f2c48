"""What distillation did, as a record independent of Keras."""

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.training.config import Distill
from tflite_squeeze.training.record import CacheRecord, StepRecord


class TeacherRecord(Frozen):
    """One teacher.

    Attributes:
        name: the model's name.
        form: keras, tf_keras, saved_model, functions or tflite.
        sha256: its hash.
        outputs: the detected or stated kind of each output.
    """

    name: str
    form: str
    sha256: str
    outputs: tuple[str, ...]


class DistillRecord(StepRecord):
    """The record of knowledge distillation.

    Attributes:
        config: the configuration that was used.
        teachers: the teachers.
        student_outputs: the detected or stated kind of each output of the student.
        labelled: whether labels were learnt from too.
        cache: whether the teachers' answers were computed once.
        teacher_quality: accuracy of the teachers together; None without labels or classes.
        distance_before: mean distance from the teachers on the validation part, before.
        distance_after: the same after.
        agreement_before: share of its examples in which the student found the teachers' class.
        agreement_after: the same after.
    """

    tables_by = ".tables:distill_tables"

    config: Distill
    teachers: tuple[TeacherRecord, ...]
    student_outputs: tuple[str, ...]
    labelled: bool
    cache: CacheRecord
    teacher_quality: float | None
    distance_before: float
    distance_after: float
    agreement_before: float | None
    agreement_after: float | None

    @property
    def reached(self) -> bool:
        """Whether the student is no worse than it was; without labels, nearer to its teachers."""
        if self.before is None or self.after is None:
            return self.distance_after < self.distance_before
        return self.after >= self.before if self.metric == "accuracy" else self.after <= self.before
