"""What narrowing is asked for."""

from typing import Annotated

from pydantic import Field

from tflite_squeeze.frozen import Frozen

Ratio = Annotated[float, Field(ge=0, lt=1)]


class Narrow(Frozen):
    """How many filters and units are taken out of layers, so that their shapes get smaller.

    Attributes:
        ratio: the share of filters to take out of each group of layers that have to agree; with 0
            those go whose weights are all zero already, such as `Prune(granularity="filter")`
            leaves.
        layers: ratio by pattern of layer name or type, such as {"block_1*": 0.25}; the last
            pattern that matches a layer of a group holds.
        coupled: whether layers whose outputs are added, as in residual networks, are narrowed
            too; they make up the trunk that everything goes through.
        multiple: what is left is a multiple of this, since kernels compute so many at a time.
        only: patterns of the layers to narrow; empty for all that can be.
        protect: patterns of layers that keep their width; "first" and "last" too.

    Reference: Li et al. 2017, arXiv:1608.08710, section 3.1, for taking out whole filters.

    Example:
        >>> Narrow(ratio=0.5).multiple
        8
    """

    ratio: Ratio = 0.0
    layers: dict[str, Ratio] = Field(default_factory=dict)
    coupled: bool = True
    multiple: int = Field(default=8, ge=1)
    only: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
