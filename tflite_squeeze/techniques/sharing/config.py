"""The configuration of weight clustering."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tflite_squeeze.frozen import Frozen, OnlyPatterns, ProtectPatterns

Init = Literal["optimal", "linear", "random", "density", "kmeans++"]
# An index of a byte is the widest that saves anything, and int8 cannot tell more values apart.
MOST_CLUSTERS = 256
Count = Annotated[int, Field(ge=2, le=MOST_CLUSTERS)]


class Cluster(Frozen):
    """How many values the weights of a kernel may share, and how those are found.

    One of `clusters`, `bits`, `error` and `max_drop` says how many. The zeros of pruned weights
    stay zeros and are not counted among them. "optimal" is found by dynamic programming, in
    tensors of more than half a million weights from bins of them.

    Reference: Han et al. 2016, arXiv:1510.00149, section 3.1 (linear, random, density); Arthur
    and Vassilvitskii 2007 (kmeans++).

    Example:
        >>> Cluster(bits=4).most
        16
    """

    clusters: Count | None = Field(
        default=None, description="Number of values that each tensor (or channel) may have."
    )
    bits: int | None = Field(
        default=None, ge=1, le=8, description="Use 2^bits values, in place of a given number."
    )
    error: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Use the fewest values with which the relative error ‖w - shared‖ / ‖w‖ of "
        "each tensor is at most this.",
    )
    max_drop: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Use the fewest values with which sharing in that tensor alone costs at most "
        "this fraction of accuracy (or relative rise of the loss); needs labelled "
        "data.",
    )
    init: Init = Field(
        default="optimal",
        description='How the values are found: "optimal" minimizes the squared error; Lloyd\'s '
        'iteration starts from evenly spaced values ("linear"), random weights '
        '("random"), quantiles ("density") or distant weights ("kmeans++").',
    )
    per: Literal["tensor", "channel"] = Field(
        default="tensor",
        description="Whether each tensor or each of its output channels has values of its own.",
    )
    layers: dict[str, Count] = Field(
        default_factory=dict,
        description="Number of values of single layers by pattern of name or type; the last "
        "pattern that matches holds.",
    )
    only: OnlyPatterns = ()
    protect: ProtectPatterns = ()
    begin: int = Field(
        default=0,
        ge=0,
        description="Training step at which sharing begins, so that pruning can end before.",
    )
    reassign: int = Field(
        default=100,
        ge=0,
        description="Training steps between two assignments of weights to their nearest value; "
        "with 0 the first assignment stays and only the values are trained.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of random initial values.")

    @model_validator(mode="after")
    def _says_how_many(self) -> "Cluster":
        ways = ("clusters", "bits", "error", "max_drop")
        given = [name for name in ways if getattr(self, name) is not None]
        if not given:
            raise ValueError("the number of shared values is not given: pass clusters, such as 16")
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} contradict each other: pass one of them")
        return self

    @property
    def most(self) -> int:
        """The most values that a tensor or channel without a pattern of its own may get."""
        if self.clusters is not None:
            return self.clusters
        return MOST_CLUSTERS if self.bits is None else int(2**self.bits)
