"""The configuration of training with the price of bytes in the loss."""

from typing import Self

from pydantic import Field, model_validator

from tflite_squeeze.frozen import Frozen, OnlyPatterns, ProtectPatterns

# Rates settle about this late.
DEFAULT_PASSES = 20
_USUAL_PENALTY = 0.1


class EntropyPenalty(Frozen):
    """The objective min L(w) + λ R(w): R is the code length of the weights, on an integer grid.

    `penalty` is counted in nats per training example, so that 1 is the price at which a bit of
    the weights has to explain a bit of the labels of the training data (minimum description
    length); lower prices buy more accuracy.

    Reference: Oktay et al. 2020, arXiv:1906.06624, equation 2.

    Example:
        >>> EntropyPenalty(penalty=0.3).price
        0.3
        >>> EntropyPenalty(target_bytes=6_000).ramp
        0.4
    """

    penalty: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="λ, the price of the code length of all weights: the loss rises by λ times "
        "its nats divided by the number of training examples; 0.1 by default.",
    )
    target_bytes: int | None = Field(
        default=None,
        ge=1,
        description="Bytes that the code of all trained weights may take, in place of λ, which is "
        "then found during the training; a packed file takes those of the graph on top.",
    )
    ramp: float = Field(
        default=0.4,
        ge=0,
        lt=1,
        description="Fraction of the training during which λ rises from 0.",
    )
    per_channel: bool = Field(
        default=False,
        description="Whether each output channel has a step of its own; else each weight has one.",
    )
    biases: bool = Field(
        default=True,
        description="Whether biases are on an integer grid, and have their price, too.",
    )
    group: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Price of the size of a filter in units of λ, log(1 + Σ|q|) nats each, so that "
        "small filters become zero altogether; `narrow` then removes them.",
    )
    from_scratch: bool = Field(
        default=False,
        description="Whether the weights are initialised anew before the training; else it goes "
        "on from those of the model.",
    )
    only: OnlyPatterns = ()
    protect: ProtectPatterns = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.penalty is not None and self.target_bytes is not None:
            raise ValueError(
                f"penalty {self.penalty:g} and target_bytes {self.target_bytes}, which finds the "
                f"penalty: leave one of them out"
            )
        return self

    @property
    def price(self) -> float:
        """λ, where it is not found during the training."""
        return _USUAL_PENALTY if self.penalty is None else self.penalty
