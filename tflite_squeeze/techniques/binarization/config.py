"""The configuration of binarization."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, model_validator

from tflite_squeeze.frozen import Frozen, OnlyPatterns, ProtectPatterns

WeightKind = Literal["binary", "ternary"]
Scale = Literal["mean", "trained"]
# Larq's quantizers by the names that it gives them; dorefa_quantizer takes `bits`.
QuantizerName = Literal[
    "ste_sign",
    "approx_sign",
    "swish_sign",
    "magnitude_aware_sign",
    "ste_tern",
    "dorefa_quantizer",
]


class LayerQuantizers(Frozen):
    """The quantizers of one layer, where they are not those of all."""

    input: QuantizerName | Literal["none"] | None = Field(
        default=None, description='Quantizer of the layer\'s inputs; "none" leaves them in float.'
    )
    kernel: QuantizerName | None = Field(
        default=None, description="Quantizer of the layer's kernel."
    )


class Binarize(Frozen):
    """How weights, or weights and inputs, are quantized to one or two bits.

    With `inputs="float"` the weights only become {-s, s} or {-s, 0, s} with a scale s per output
    channel: plain layers of either Keras, and a file for the stock runtime. With
    `inputs="binary"` layers become Larq's (tf_keras), and the file is for Larq Compute Engine. A
    trained scale is the same for both signs, because 2-bit weights have no zero point in the
    runtime.

    Reference: Rastegari et al. 2016, arXiv:1603.05279, equation 6 (mean scale, binary); Li et al.
    2016, arXiv:1605.04711, equation 5 (mean scale, ternary); Zhu et al. 2017, arXiv:1612.01064,
    equations 6 to 8 (trained scale); Helwegen et al. 2019, arXiv:1906.02107 (bop); Bulat et al.
    2019, arXiv:1904.05868 (two-stage).

    Example:
        >>> Binarize(weights="ternary", inputs="float").protect
        ('first', 'last')
    """

    weights: WeightKind = Field(
        default="binary",
        description='What weights become: "binary" {-s, s} or "ternary" {-s, 0, s}; s is 1 with '
        "binary inputs.",
    )
    inputs: Literal["binary", "float"] = Field(
        default="binary",
        description='"binary" uses Larq\'s layers, for Larq Compute Engine; "float" keeps '
        "plain layers, for LiteRT.",
    )
    scale: Scale = Field(
        default="mean",
        description='Scale s of the weights with float inputs: the "mean" magnitude of those '
        'that are kept, or "trained".',
    )
    threshold: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Ternary weights below this become 0: times the channel's mean magnitude "
        "with the mean scale (0.7 by default), times its largest with the trained "
        "one (0.05).",
    )
    per_channel: bool = Field(
        default=True,
        description="Whether each output channel has a scale of its own with float inputs, or "
        "the whole tensor one.",
    )
    input_quantizer: QuantizerName = Field(
        default="ste_sign",
        description="Larq's quantizer of inputs, which decides the gradient that passes.",
    )
    kernel_quantizer: QuantizerName | None = Field(
        default=None,
        description="Larq's quantizer of kernels; ste_sign by default, or ste_tern with ternary "
        "weights.",
    )
    bits: int = Field(default=2, ge=1, le=8, description="Number of bits of dorefa_quantizer.")
    layers: dict[str, LayerQuantizers] = Field(
        default_factory=dict,
        description='Quantizers of single layers by pattern of name or type, "none" for float '
        "inputs; the last pattern that matches holds.",
    )
    clip: bool = Field(
        default=True,
        description="Whether latent weights stay in [-1, 1], where the sign has a gradient.",
    )
    optimizer: Literal["adam", "bop"] = Field(
        default="adam",
        description='"adam" trains latent weights, "bop" flips binary weights and has no latent '
        "ones.",
    )
    bop_threshold: float = Field(
        default=1e-8,
        gt=0,
        allow_inf_nan=False,
        description="How strong a gradient must be for bop to flip a weight.",
    )
    bop_gamma: float = Field(
        default=1e-4, gt=0, le=1, description="How fast bop's average of gradients adapts."
    )
    stages: Literal["joint", "two-stage", "gradual"] = Field(
        default="joint",
        description='"joint" trains with binary weights and inputs from the start, "two-stage" '
        'with binary inputs and float weights in the first half, "gradual" layer by '
        "layer from the front.",
    )
    initialize: Literal["trained", "random"] = Field(
        default="trained",
        description='Whether latent weights start from the "trained" float weights or at "random".',
    )
    only: OnlyPatterns = ()
    protect: ProtectPatterns = ("first", "last")

    @model_validator(mode="after")
    def _values_agree(self) -> "Binarize":
        if self.inputs == "float" and (given := self._given(_LARQ_FIELDS)):
            raise ValueError(
                f"{', '.join(given)} is for Larq's layers: leave it out, or pass inputs='binary'"
            )
        if self.inputs == "binary" and (given := self._given(_STOCK_FIELDS)):
            raise ValueError(f"{', '.join(given)} is for float inputs: pass inputs='float'")
        if self.threshold is not None and self.weights == "binary":
            raise ValueError("binary weights have no threshold: pass weights='ternary'")
        if self.optimizer == "bop" and (self.weights != "binary" or self.stages != "joint"):
            raise ValueError("bop flips binary weights: leave weights and stages as they are")
        return self

    def _given(self, names: tuple[str, ...]) -> list[str]:
        defaults = type(self).model_fields
        return [
            name
            for name in names
            if getattr(self, name) != defaults[name].get_default(call_default_factory=True)
        ]

    def quantizers_of(self, patterns: Iterable[str]) -> tuple[str, str]:
        """The quantizers of a layer's inputs and kernel.

        Args:
            patterns: those keys of `layers` that mean the layer, the strongest last.

        Returns:
            Names; "none" leaves the inputs in float.
        """
        kernel = self.kernel_quantizer or ("ste_tern" if self.weights == "ternary" else "ste_sign")
        found: tuple[str, str] = (self.input_quantizer, kernel)
        for pattern in patterns:
            own = self.layers[pattern]
            found = (own.input or found[0], own.kernel or found[1])
        return found

    @property
    def cut(self) -> float:
        """The threshold, or the paper's."""
        default = 0.7 if self.scale == "mean" else 0.05
        return default if self.threshold is None else self.threshold


_STOCK_FIELDS = ("scale", "threshold", "per_channel")
_LARQ_FIELDS = (
    "input_quantizer", "kernel_quantizer", "bits", "layers", "clip", "optimizer",
    "bop_threshold", "bop_gamma", "stages", "initialize",
)  # fmt: skip
