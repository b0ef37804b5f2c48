"""What fine-tuning is asked for."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FineTune(BaseModel):
    """How a model is trained on after it was changed.

    Attributes:
        epochs: passes over the training part.
        batch: examples per step.
        learning_rate: peak of the cosine schedule.
        warmup: share of the steps over which the rate rises to its peak.
        optimizer: "adam" or "sgd" (with momentum 0.9).
        seed: of the order of the examples.
        jit: whether XLA compiles the training step.

    Example:
        >>> FineTune(epochs=2).batch
        128
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=3, ge=1)
    batch: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    warmup: float = Field(default=0.0, ge=0, lt=1)
    optimizer: Literal["adam", "sgd"] = "adam"
    seed: int = Field(default=0, ge=0)
    jit: bool = False
