"""What a network or a file is quantized to: one entry for each weight and each activation."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field, field_validator, model_validator

from tflite_squeeze.frozen import Frozen

WeightBits = Literal[8, 4, 2]
ActivationBits = Literal[8, 16]


def float32_number(value: float) -> float:
    """The shortest decimal number that is the same in float32, as files store it.

    Args:
        value: any number; beyond float32 it becomes infinite, or 0.

    Example:
        >>> float32_number(0.10000000149011612)
        0.1
    """
    with np.errstate(over="ignore", under="ignore"):
        return float(str(np.float32(value)))


Float32 = Annotated[float, AfterValidator(float32_number)]


class WeightQuantization(Frozen):
    """How one weight is stored: symmetric integers times a scale, or float.

    Example:
        >>> WeightQuantization(bits=4, axis=-1).levels
        7
    """

    bits: WeightBits | None = Field(
        default=8, description="Bits of each weight; null leaves it in float."
    )
    axis: int | None = Field(
        default=None,
        description="Axis of the channels that have a scale each; null for one scale.",
    )
    scale: tuple[Float32, ...] | None = Field(
        default=None,
        description="The scale, or one for each channel; null takes the largest magnitude "
        "divided by the number of levels.",
    )
    zero_point: int = Field(
        default=0,
        description="Integer that stands for 0; other than 0 only in files that other tools "
        "wrote, such as legacy uint8 ones.",
    )

    @property
    def levels(self) -> int:
        """The largest integer; the smallest is its negative. 0 for float."""
        return 0 if self.bits is None else int(2 ** (self.bits - 1) - 1)

    @field_validator("scale", mode="before")
    @classmethod
    def _one_is_enough(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int | float) else value

    @model_validator(mode="after")
    def _values_agree(self) -> "WeightQuantization":
        if self.scale is not None:
            if self.bits is None:
                raise ValueError("a weight in float has no scale: leave scale out, or give bits")
            if self.axis is None and len(self.scale) != 1:
                raise ValueError(
                    f"{len(self.scale)} scales without an axis: give one, or the channels' axis"
                )
            if not all(np.isfinite(one) and one > 0 for one in self.scale):
                raise ValueError("a scale is not a positive number: give positive numbers")
        return self


class ActivationQuantization(Frozen):
    """The range that an activation's integers cover, or float.

    Example:
        >>> ActivationQuantization(low=0.0, high=6.0).scale
        0.023529411764705882
    """

    bits: ActivationBits | None = Field(
        default=8, description="Bits of each value; null leaves the activation in float."
    )
    low: Float32 | None = Field(
        default=None,
        description="The least value of the range, 0 or less; null until it is calibrated.",
    )
    high: Float32 | None = Field(
        default=None,
        description="The greatest value of the range, 0 or more; null until it is calibrated.",
    )

    @property
    def scale(self) -> float | None:
        """The step between two integers; None for float or before calibration."""
        if self.bits is None or self.low is None or self.high is None:
            return None
        if self.bits == 16:  # symmetric
            return max(-self.low, self.high) / 32767
        return (self.high - self.low) / 255

    @model_validator(mode="after")
    def _values_agree(self) -> "ActivationQuantization":
        if (self.low is None) != (self.high is None):
            raise ValueError("a range needs both low and high: give both, or neither")
        if self.low is not None and self.high is not None:
            if not (np.isfinite(self.low) and np.isfinite(self.high)):
                raise ValueError(f"low {self.low} and high {self.high}: give finite numbers")
            if not self.low <= 0 <= self.high or self.low == self.high:
                raise ValueError(
                    f"a range from {self.low} to {self.high} does not hold 0 and another number: "
                    f"0 must be represented exactly"
                )
        return self


class QuantizationPlan(Frozen):
    """Weights and activations of a network or a file, each with what it is quantized to.

    What is in neither stays in float.

    Example:
        >>> plan = QuantizationPlan(weights={"dense/kernel": WeightQuantization(bits=4)})
        >>> plan.weights["dense/kernel"].bits
        4
    """

    weights: dict[str, WeightQuantization] = Field(
        default_factory=dict,
        description='By name: "layer/kernel" of a Keras model, the tensor\'s name of a file.',
    )
    activations: dict[str, ActivationQuantization] = Field(
        default_factory=dict,
        description="By name: that of the input, layer or operation that puts it out in a Keras "
        "model, the tensor's name of a file.",
    )
