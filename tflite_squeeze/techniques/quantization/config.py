"""The configuration of quantization-aware training."""

from typing import Any, Literal

from pydantic import Field, model_validator

from tflite_squeeze.emission.calibration.ranges import Method
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.network.quantization.plan import (
    ActivationBits,
    QuantizationPlan,
    WeightBits,
)

LayerBits = WeightBits | Literal["a8", "a16", "w8a8", "w8a16", "w4a8", "w4a16", "w2a8", "w2a16"]

_WEIGHTS: dict[str, WeightBits] = {"8": 8, "4": 4, "2": 2}


class QuantizationAware(Frozen):
    """Which integers the network is trained with, and how their ranges are found.

    Reference: Jacob et al. 2018, arXiv:1712.05877, section 3; Esser et al. 2020, arXiv:1902.08153.

    Example:
        >>> QuantizationAware(weights=4, layers={"first": 8, "last": 8}).weights
        4
    """

    weights: WeightBits = Field(
        default=8, description="Bits of the kernels of convolutions and Dense layers: 8, 4 or 2."
    )
    activations: ActivationBits = Field(
        default=8, description="Bits of what goes from operator to operator: 8 or 16."
    )
    layers: dict[str, LayerBits] = Field(
        default_factory=dict,
        description="Bits of single layers by pattern of name or type, or "
        '"first" and "last": of their kernels (8, 4, 2), of what they put out ("a8", "a16"), or of '
        'both ("w4a16"); the last pattern that matches holds.',
    )
    plan: QuantizationPlan | None = Field(
        default=None,
        description="What each weight and activation becomes, in place of weights, activations and "
        "layers; ranges that it leaves open are calibrated, and those it gives are trained on.",
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

    @model_validator(mode="after")
    def _values_agree(self) -> "QuantizationAware":
        defaults: tuple[tuple[str, Any], ...] = (("weights", 8), ("activations", 8), ("layers", {}))
        given = [name for name, default in defaults if getattr(self, name) != default]
        if self.plan is not None and given:
            raise ValueError(
                f"a plan gives bits to everything, and so do {', '.join(given)}: leave either out"
            )
        return self

    @property
    def layer_weights(self) -> dict[str, WeightBits]:
        """Bits of kernels by pattern."""
        return {
            pattern: bits if isinstance(bits, int) else _WEIGHTS[bits[1]]
            for pattern, bits in self.layers.items()
            if isinstance(bits, int) or bits.startswith("w")
        }

    @property
    def layer_activations(self) -> dict[str, ActivationBits]:
        """Bits of what layers put out, by pattern."""
        return {
            pattern: 16 if bits.endswith("a16") else 8
            for pattern, bits in self.layers.items()
            if isinstance(bits, str)
        }

    @property
    def learns_scales(self) -> bool:
        """Whether the steps of weights are trained."""
        return self.weights == 2 if self.learned_scale is None else self.learned_scale
