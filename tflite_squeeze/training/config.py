"""What fine-tuning is asked for."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tflite_squeeze.training.teaching.config import Distill


class FineTune(BaseModel):
    """How a model is trained on after it was changed.

    Attributes:
        epochs: passes over the training part.
        batch: examples per step.
        learning_rate: peak of the cosine schedule.
        warmup: share of the steps over which the rate rises to its peak.
        optimizer: "adam" or "sgd" (with momentum 0.9).
        seed: of the order of the examples.
        jit: whether XLA compiles the training step; "auto" where that is likely to pay.
        teacher: "original" for recovery by distillation: the model as it was before the step
            teaches what the step makes of it. Labels are then not needed, and a few thousand
            examples may do; with labels, it learns from both.
        distill: what is learnt from the teacher; None for the defaults of `Distill`.

    Example:
        >>> FineTune(epochs=2).batch
        128
        >>> FineTune(epochs=50, teacher="original", distill=Distill(distance="mse")).teacher
        'original'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=3, ge=1)
    batch: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    warmup: float = Field(default=0.0, ge=0, lt=1)
    optimizer: Literal["adam", "sgd"] = "adam"
    seed: int = Field(default=0, ge=0)
    jit: bool | Literal["auto"] = False
    teacher: Literal["original"] | None = None
    distill: Distill | None = None

    @model_validator(mode="after")
    def _taught(self) -> Self:
        if self.distill is not None and self.teacher is None:
            raise ValueError('distill is given without a teacher: pass teacher="original" too')
        return self
