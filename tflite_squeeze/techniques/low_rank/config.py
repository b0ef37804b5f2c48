"""The configuration of low-rank factorization."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tflite_squeeze.emission.quantization import Timed
from tflite_squeeze.frozen import Frozen, OnlyPatterns, ProtectPatterns
from tflite_squeeze.techniques.low_rank.factor_schemes import SchemeName

_RULES = ("rank", "ratio", "energy", "max_error", "vbmf", "macs_ratio", "bytes_ratio", "budget")
Unit = Literal["macs", "bytes", "latency"]


class Factorize(Frozen):
    """How layers are split into low-rank factors.

    One rule says which rank is enough; `ranks` may name the rank of single layers besides, or
    stand alone.

    Example:
        >>> Factorize(energy=0.9).scheme
        'auto'
    """

    rank: int | None = Field(
        default=None, ge=1, description="Rank of every layer, at most its full rank."
    )
    ratio: float | None = Field(
        default=None, gt=0, lt=1, description="Fraction of the full rank to keep in each layer."
    )
    energy: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Fraction of the squared singular values to keep in each layer.",
    )
    max_error: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Largest error of each layer's outputs on data, as root mean square relative "
        "to the outputs.",
    )
    vbmf: bool = Field(
        default=False,
        description="Keep the singular values that stand out from the noise, by analytic "
        "variational Bayes.",
    )
    macs_ratio: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Fraction of the model's multiply-accumulates to keep, spent where the next "
        "singular value gains most.",
    )
    bytes_ratio: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Fraction of the model's weight bytes to keep, spent where the next singular "
        "value gains most.",
    )
    budget: Unit | None = Field(
        default=None,
        description="Choose all ranks under one budget by how much the model's answers change: "
        '"macs", "bytes" of weights, or "latency" as measured on the LiteRT interpreter.',
    )
    keep: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Fraction of the budgeted cost that may be left.",
    )
    ranks: dict[str, Annotated[int, Field(ge=1)] | tuple[int, int]] = Field(
        default_factory=dict,
        description="Rank of single layers by pattern of name or type, for Tucker-2 a pair "
        "(inputs, outputs); without a rule, all other layers stay as they are.",
    )
    scheme: Literal["auto", "channel", "spatial", "tucker"] = Field(
        default="auto",
        description='How convolutions are split: "channel" (k x k x r, 1 x 1), "spatial" (k x 1, '
        '1 x k), "tucker" (1 x 1, k x k, 1 x 1), or "auto" for the one that costs '
        "least.",
    )
    schemes: dict[str, SchemeName] = Field(
        default_factory=dict, description="Scheme of single layers by pattern of name or type."
    )
    only: OnlyPatterns = ()
    protect: ProtectPatterns = ()
    data_aware: bool = Field(
        default=True,
        description="Whether the factors preserve what the layer computes on the data, where "
        "there is data, or its weights alone.",
    )
    repair: bool = Field(
        default=True,
        description="Whether layers are solved by least squares after a data-aware split, for "
        "what the original computed; kept if the answers come nearer to the original's.",
    )
    samples: int = Field(
        default=512,
        ge=1,
        description="Unlabelled examples on which layers are observed and repaired; with a budget "
        "or a repair every fourth is held back to judge by.",
    )
    multiple: int = Field(
        default=1,
        ge=1,
        description="Round ranks up to a multiple of this, such as 4, 8 or 16, because kernels "
        "compute so many at a time.",
    )
    emit: Literal["plain", "factorized"] = Field(
        default="plain",
        description='"plain" writes standard Keras layers, "factorized" one FactorizedDense or '
        "FactorizedConv2D per layer, which `merge` multiplies back.",
    )
    measure: Timed | None = Field(
        default=None,
        description='Quantization ("none" for float) with which splits are timed on the LiteRT '
        "interpreter, so that only faster ones are kept; not timed by default, and in float for a "
        "latency budget.",
    )

    @model_validator(mode="after")
    def _says_how_much(self) -> "Factorize":
        given = [name for name in _RULES if getattr(self, name)]
        if not given and not self.ranks:
            raise ValueError(
                f"no rule for the ranks is given: pass one of {', '.join(_RULES)}, or ranks"
            )
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} contradict each other: pass one of them")
        for pattern, rank in self.ranks.items():
            if isinstance(rank, tuple) and min(rank) < 1:
                raise ValueError(f"ranks of {pattern!r} are {rank}: ranks begin at 1")
        if (self.budget is None) != (self.keep is None):
            raise ValueError("budget and keep go together: pass both, or neither")
        if self.max_error is not None and not self.data_aware:
            raise ValueError("max_error bounds outputs on data: leave data_aware on")
        return self

    @property
    def rule(self) -> str | None:
        """The name of the rule that holds where `ranks` names none."""
        return next((name for name in _RULES if getattr(self, name)), None)

    @property
    def limit(self) -> tuple[Unit, float] | None:
        """What a global budget is of, and the fraction to keep; None for other rules."""
        if self.budget is not None and self.keep is not None:
            return self.budget, self.keep
        if self.macs_ratio is not None:
            return "macs", self.macs_ratio
        return None if self.bytes_ratio is None else ("bytes", self.bytes_ratio)
