"""What clustering (parameter sharing) is asked for."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tflite_squeeze.frozen import Frozen

Init = Literal["optimal", "linear", "random", "density", "kmeans++"]
# An index of a byte is the widest that saves anything, and int8 cannot tell more values apart.
MOST_CLUSTERS = 256
Count = Annotated[int, Field(ge=2, le=MOST_CLUSTERS)]


class Cluster(Frozen):
    """How many values the weights of a kernel may share, and how those are found.

    One of `clusters`, `bits`, `error` and `max_drop` says how many. The zeros of pruned weights
    stay zeros and are not counted among them.

    Attributes:
        clusters: values per tensor (or channel).
        bits: instead, 2^bits values.
        error: instead, the fewest values with which ‖w - shared‖ / ‖w‖ of each tensor is at most
            this.
        max_drop: instead, the fewest values with which sharing in that tensor alone, untrained,
            costs no more than this: a fraction of accuracy for classifiers, else the relative
            rise of the loss. Needs labelled data.
        init: "optimal" finds the values of least squared error, by dynamic programming (of more
            than half a million weights, from bins of them); the others start Lloyd's iteration
            from evenly spaced values ("linear"), from random weights ("random"), from evenly
            spaced quantiles ("density"; Han et al. 2016, arXiv:1510.00149, section 3.1, which
            names the first three), or from weights that are drawn in proportion to their squared
            distance ("kmeans++"; Arthur and Vassilvitskii 2007).
        per: whether a tensor or each of its output channels has values of its own.
        layers: values by pattern of layer name or type, such as {"conv_*": 32, "Dense": 16}; the
            last pattern that matches holds.
        only: patterns of the layers to share in; empty for all that can be.
        protect: patterns of layers that stay as they are; "first" and "last" too.
        begin: training step at which sharing begins, so that pruning may end before.
        reassign: training steps after which weights are again assigned to their nearest value
            while training; None leaves them where they are, so that the values alone move.
        seed: of the random ways to begin.

    Example:
        >>> Cluster(bits=4).most
        16
    """

    clusters: Count | None = None
    bits: int | None = Field(default=None, ge=1, le=8)
    error: float | None = Field(default=None, gt=0, lt=1)
    max_drop: float | None = Field(default=None, ge=0, lt=1)
    init: Init = "optimal"
    per: Literal["tensor", "channel"] = "tensor"
    layers: dict[str, Count] = Field(default_factory=dict)
    only: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    begin: int = Field(default=0, ge=0)
    reassign: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _says_how_many(self) -> "Cluster":
        ways = ("clusters", "bits", "error", "max_drop")
        given = [name for name in ways if getattr(self, name) is not None]
        if not given:
            raise ValueError("nothing says how many values to share: pass clusters, such as 16")
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} contradict each other: pass one of them")
        return self

    @property
    def most(self) -> int:
        """The most values that a tensor or channel without a pattern of its own may get."""
        if self.clusters is not None:
            return self.clusters
        return MOST_CLUSTERS if self.bits is None else int(2**self.bits)
