"""What binarisation is asked for."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, model_validator

from tflite_squeeze.frozen import Frozen

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
    """The quantizers of one layer, where they are not those of all.

    Attributes:
        input: of its inputs; "none" leaves them in float.
        kernel: of its kernel.
    """

    input: QuantizerName | Literal["none"] | None = None
    kernel: QuantizerName | None = None


class Binarize(Frozen):
    """How weights, or weights and inputs, become one or two bits.

    With `inputs="float"` the weights only become {-s, s} or {-s, 0, s} with a scale s per output
    channel: plain layers of either Keras, and a file for the stock runtime. With
    `inputs="binary"` layers become Larq's (tf_keras), and the file is for Larq Compute Engine.

    Attributes:
        weights: "binary" or "ternary".
        inputs: "binary" or "float".
        scale: with float inputs, where s comes from: "mean" of the magnitudes that are kept
            (binary: Rastegari et al. 2016, arXiv:1603.05279, equation 6; ternary: Li et al. 2016,
            arXiv:1605.04711, equation 5), or "trained" with the weights (Zhu et al. 2017,
            arXiv:1612.01064, equations 6 to 8, with one scale for both signs, since 2-bit weights
            have no zero point in the runtime).
        threshold: ternary weights below this become 0: times the mean magnitude of the channel
            for "mean", times its largest for "trained"; None for 0.7 and 0.05, as in the papers.
        per_channel: whether every output channel has a scale of its own, or the tensor has one.
        input_quantizer: Larq's quantizer of inputs; its derivative is what differs.
        kernel_quantizer: the same of kernels; None for ste_sign, or ste_tern with ternary weights.
        bits: of dorefa_quantizer.
        layers: quantizers by pattern of layer name or type, where they are others.
        clip: whether latent weights stay in [-1, 1], where the sign still has a derivative.
        optimizer: "adam" on latent weights, or "bop", which flips binary weights and has no
            latent ones (Helwegen et al. 2019, arXiv:1906.02107).
        bop_threshold, bop_gamma: how strong and how steady a gradient must be to flip a weight.
        stages: "joint" trains with binary weights and inputs from the beginning, "two-stage" with
            binary inputs and float weights in the first half (Bulat et al. 2019,
            arXiv:1904.05868), "gradual" layer by layer from the front.
        initialize: "trained" starts latent weights from the float ones, "random" anew.
        only: patterns of the layers to binarise; empty for all that can be.
        protect: patterns of layers that stay in float; "first" and "last" too.

    Example:
        >>> Binarize(weights="ternary", inputs="float").protect
        ('first', 'last')
    """

    weights: WeightKind = "binary"
    inputs: Literal["binary", "float"] = "binary"
    scale: Scale = "mean"
    threshold: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    per_channel: bool = True
    input_quantizer: QuantizerName = "ste_sign"
    kernel_quantizer: QuantizerName | None = None
    bits: int = Field(default=2, ge=1, le=8)
    layers: dict[str, LayerQuantizers] = Field(default_factory=dict)
    clip: bool = True
    optimizer: Literal["adam", "bop"] = "adam"
    bop_threshold: float = Field(default=1e-8, gt=0, allow_inf_nan=False)
    bop_gamma: float = Field(default=1e-4, gt=0, le=1)
    stages: Literal["joint", "two-stage", "gradual"] = "joint"
    initialize: Literal["trained", "random"] = "trained"
    only: tuple[str, ...] = ()
    protect: tuple[str, ...] = ("first", "last")

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
