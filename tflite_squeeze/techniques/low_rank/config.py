"""What low-rank factorization is asked for."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.techniques.low_rank.factor_schemes import SchemeName

_RULES = ("rank", "ratio", "energy", "max_error", "vbmf", "macs_ratio", "bytes_ratio")
Measured = Literal["none", "float16", "dynamic", "int8", "int16x8"]


class Factorize(Frozen):
    """How layers are split into thinner ones.

    One rule says which rank is enough; `ranks` may name the rank of single layers besides, or
    stand alone.

    Attributes:
        rank: the same for every layer (at most its full rank).
        ratio: share of the full rank to keep.
        energy: share of the squared singular values to keep.
        max_error: the most that a layer's outputs may be off, as root mean square relative to
            the outputs; taken on data.
        vbmf: as many as stand out of noise (analytic variational Bayes).
        macs_ratio: a global budget: this share of the model's multiply-accumulates, spent where
            the next singular value buys most.
        bytes_ratio: the same of the model's weights.
        ranks: rank by pattern of layer name or type; for Tucker-2 a pair (inputs, outputs). With
            no rule, all other layers stay as they are.
        scheme: for convolutions: "channel" (k x k x r, 1 x 1), "spatial" (k x 1, 1 x k),
            "tucker" (1 x 1, k x k, 1 x 1), or "auto": whichever costs least at what the rule
            asks for.
        schemes: scheme by pattern of layer name or type, before `scheme`.
        only: patterns of the layers to factorize; empty for all that can be.
        protect: patterns of layers that stay whole; "first" and "last" too.
        data_aware: with data, factors keep what the layer answers on it, rather than its weights.
        samples: how many examples that is taken on.
        multiple: ranks are rounded up to a multiple of this; kernels work on 4, 8 or 16 at once.
        emit: "plain" leaves standard Keras layers; "factorized" one FactorizedDense or
            FactorizedConv2D in the place of each layer, which `merge` multiplies back.
        measure: None, or the quantization of the file ("none" for float) for which candidates
            are timed on the LiteRT interpreter; only what is really faster is kept.

    Example:
        >>> Factorize(energy=0.9).scheme
        'auto'
    """

    rank: int | None = Field(default=None, ge=1)
    ratio: float | None = Field(default=None, gt=0, lt=1)
    energy: float | None = Field(default=None, gt=0, lt=1)
    max_error: float | None = Field(default=None, gt=0, lt=1)
    vbmf: bool = False
    macs_ratio: float | None = Field(default=None, gt=0, lt=1)
    bytes_ratio: float | None = Field(default=None, gt=0, lt=1)
    ranks: dict[str, Annotated[int, Field(ge=1)] | tuple[int, int]] = Field(default_factory=dict)
    scheme: Literal["auto", "channel", "spatial", "tucker"] = "auto"
    schemes: dict[str, SchemeName] = Field(default_factory=dict)
    only: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    data_aware: bool = True
    samples: int = Field(default=512, ge=1)
    multiple: int = Field(default=1, ge=1)
    emit: Literal["plain", "factorized"] = "plain"
    measure: Measured | None = None

    @model_validator(mode="after")
    def _says_how_much(self) -> "Factorize":
        given = [name for name in _RULES if getattr(self, name)]
        if not given and not self.ranks:
            raise ValueError(
                f"nothing says which rank is enough: pass one of {', '.join(_RULES)}, or ranks"
            )
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} contradict each other: pass one of them")
        for pattern, rank in self.ranks.items():
            if isinstance(rank, tuple) and min(rank) < 1:
                raise ValueError(f"ranks of {pattern!r} are {rank}: ranks begin at 1")
        if self.max_error is not None and not self.data_aware:
            raise ValueError("max_error bounds outputs on data: leave data_aware on")
        return self

    @property
    def rule(self) -> str | None:
        """The name of the rule that holds where `ranks` names none."""
        return next((name for name in _RULES if getattr(self, name)), None)

    @property
    def budget(self) -> Literal["macs", "bytes"] | None:
        """What a global budget is of; None for a rule that looks at each layer alone."""
        if self.macs_ratio is not None:
            return "macs"
        return "bytes" if self.bytes_ratio is not None else None
