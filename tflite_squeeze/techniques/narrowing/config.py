"""The configuration of narrowing (filter pruning)."""

from typing import Annotated

from pydantic import Field

from tflite_squeeze.frozen import Frozen, OnlyPatterns, ProtectPatterns

Ratio = Annotated[float, Field(ge=0, lt=1)]


class Narrow(Frozen):
    """Structured pruning: how many filters and units are removed, so that layers get smaller.

    `Prune(granularity="filter")` leaves filters whose weights are all zero.

    Reference: Li et al. 2017, arXiv:1608.08710, section 3.1, for removing whole filters.

    Example:
        >>> Narrow(ratio=0.5, layers={"block_1*": 0.25}).multiple
        8
    """

    ratio: Ratio = Field(
        default=0.0,
        description="Fraction of the filters to remove from each group of layers that must "
        "agree; 0 removes only filters whose weights are all zero already.",
    )
    layers: dict[str, Ratio] = Field(
        default_factory=dict,
        description="Ratio of single layers by pattern of name or type; the last pattern that "
        "matches holds.",
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
