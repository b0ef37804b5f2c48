"""The configuration of narrowing (filter pruning)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tflite_squeeze.emission.quantization import Timed
from tflite_squeeze.frozen import Frozen, OnlyPatterns, ProtectPatterns

Budget = Literal["macs", "bytes", "latency"]
Ratio = Annotated[float, Field(ge=0, lt=1)]


class Narrow(Frozen):
    """Structured pruning: how many filters and units are removed, so that layers get smaller.

    `Prune(granularity="filter")` leaves filters whose weights are all zero.

    Reference: Li et al. 2017, arXiv:1608.08710, section 3.1, for removing whole filters.

    Example:
        >>> Narrow(ratio=0.5, layers={"block_1*": 0.25}).multiple
        8
        >>> Narrow(budget="macs", keep=0.5).ratio
        0.0
    """

    ratio: Ratio = Field(
        default=0.0,
        description="Fraction of the filters to remove from each group of layers that must "
        "agree; 0 removes only filters that are dead: their weights are all zero, or, with samples "
        "and repair, what they give is the same for all of them.",
    )
    layers: dict[str, Ratio] = Field(
        default_factory=dict,
        description="Ratio of single layers by pattern of name or type; the last pattern that "
        "matches holds.",
    )
    budget: Budget | None = Field(
        default=None,
        description="What is limited over all layers together, in place of a ratio: "
        '"macs" (multiplications), "bytes" of weights, or "latency" as measured on the LiteRT '
        "interpreter. The widths that lose least are searched for, on samples.",
    )
    keep: float | None = Field(
        default=None, gt=0, lt=1, description="Fraction of the budgeted cost that may be left."
    )
    measure: Timed = Field(
        default="int8",
        description='Quantization ("none" for float) of the files that a latency budget times.',
    )
    score: Literal["norm", "activation", "fisher", "least-squares"] | None = Field(
        default=None,
        description="What decides which filters go first: their weights alone (norm), weights and "
        "activations, the squared gradient of the divergence from the original's answers (fisher), "
        "or what the layers behind lose if they make up for it (least-squares); by default "
        "least-squares with samples, else norm.",
    )
    repair: bool = Field(
        default=True,
        description="Whether layers behind a cut are solved anew by least squares, on samples "
        "without labels, before any training.",
    )
    samples: int = Field(
        default=512, ge=16, description="Examples for scores and repair, as far as memory allows."
    )
    coupled: bool = Field(
        default=True,
        description="Whether layers whose outputs are added, as in residual networks, are "
        "narrowed too.",
    )
    multiple: int = Field(
        default=8,
        ge=1,
        description="Round the number of remaining filters up to a multiple of this, because "
        "kernels compute so many at a time.",
    )
    only: OnlyPatterns = ()
    protect: ProtectPatterns = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.budget is None) != (self.keep is None):
            raise ValueError("budget and keep go together: pass both, or neither")
        if self.budget is not None and (self.ratio or self.layers):
            raise ValueError("ratio and layers contradict budget: pass one of them")
        return self

    @property
    def dead_only(self) -> bool:
        """Whether only channels go that tell nothing."""
        return self.budget is None and not self.ratio and not any(self.layers.values())
