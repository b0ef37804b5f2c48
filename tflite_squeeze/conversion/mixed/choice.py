"""The fewest of some units that have to stay in float, in the order of their sensitivity."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Unit = TypeVar("Unit")
# Whether a network passes with some units in float.
Passes = Callable[[Sequence[Unit]], bool]


def fewest(order: Sequence[Unit], passes: Passes[Unit]) -> list[Unit]:
    """The shortest beginning of an order that passes, without those of it that are not needed.

    Args:
        order: the most sensitive first.
        passes: called with some of them; all of them pass.

    Returns:
        Units none of which can be left out, in their order.

    Example:
        >>> fewest("abcdef", lambda kept: {"a", "d"} <= set(kept))
        ['a', 'd']
    """
    return without_needless(order[: shortest(order, passes)], passes)


def shortest(order: Sequence[Unit], passes: Passes[Unit]) -> int:
    """How many of the first units pass, found by doubling and then by bisection.

    Args:
        order: the most sensitive first.
        passes: as in `fewest`; where more units pass no more often than fewer, the answer passes
            but may not be the least.

    Example:
        >>> shortest("abcdef", lambda kept: "d" in kept)
        4
    """
    if passes(order[:0]):
        return 0
    fails, enough = 0, 1
    while enough < len(order) and not passes(order[:enough]):
        fails, enough = enough, 2 * enough
    enough = min(enough, len(order))
    while enough - fails > 1:
        middle = (fails + enough) // 2
        if passes(order[:middle]):
            enough = middle
        else:
            fails = middle
    return enough


def half_as_many_more(order: Sequence[Unit], kept: Sequence[Unit]) -> list[Unit]:
    """Half as many units again, one at least: the first of those that are left.

    Args:
        order: the most sensitive first.
        kept: some of them.

    Returns:
        All of them, in their order.

    Example:
        >>> half_as_many_more("abcdef", "ce")
        ['a', 'c', 'e']
    """
    left = [unit for unit in order if unit not in kept]
    wanted = [*kept, *left[: max(1, len(kept) // 2)]]
    return [unit for unit in order if unit in wanted]


def without_needless(kept: Sequence[Unit], passes: Passes[Unit]) -> list[Unit]:
    """Leaves out what is not needed, the least sensitive first.

    Args:
        kept: which pass together, the most sensitive first.
        passes: as in `fewest`.
    """
    left = list(kept)
    for unit in reversed(kept):
        others = [one for one in left if one is not unit]
        if passes(others):
            left = others
    return left
