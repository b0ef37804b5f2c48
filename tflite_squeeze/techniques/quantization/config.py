"""The configuration of quantization-aware training."""

from typing import Literal

from pydantic import Field

from tflite_squeeze.emission.calibration.ranges import Method
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.network.quantization.plan import WeightBits


class QuantizationAware(Frozen):
    """Which integers the network is trained with, and how their ranges are found.

    Activations have 8 bits.

    Reference: Jacob et al. 2018, arXiv:1712.05877, section 3; Esser et al. 2020, arXiv:1902.08153.

    Example:
        >>> QuantizationAware(weights=4, layers={"first": 8, "last": 8}).weights
        4
    """

    weights: WeightBits = Field(
        default=8, description="Bits of the kernels of convolutions and Dense layers: 8, 4 or 2."
    )
    layers: dict[str, WeightBits] = Field(
        default_factory=dict,
        description="Bits of the kernels of single layers by pattern of name or type, or "
        '"first" and "last"; the last pattern that matches holds.',
    )
    calibrate: Method = Field(
        default="minmax",
        description="How the ranges of activations are chosen before the training: minmax, "
        "percentile, mse (least squared error) or entropy.",
    )
    samples: int = Field(
        default=256, ge=1, description="Number of samples that ranges are calibrated on."
    )
    estimator: Literal["average", "learned"] = Field(
        default="average",
        description='How ranges go on in the training: "average" follows the least and the '
        'greatest value of the batches, "learned" trains both by their gradients.',
    )
    learned_scale: bool | None = Field(
        default=None,
        description="Whether the steps of weights are trained too (LSQ), from those of the least "
        "squared error on; else each is the greatest weight of its channel divided by the number "
        "of levels. By default where weights have 2 bits.",
    )
    delay: int = Field(
        default=0,
        ge=0,
        description="Training steps before rounding begins; ranges follow from the first step on.",
    )

    @property
    def learns_scales(self) -> bool:
        """Whether the steps of weights are trained."""
        return self.weights == 2 if self.learned_scale is None else self.learned_scale
