"""In which order the weights of layers get fewer bits: the least loss for each byte first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_LEAST_SHARE = 1e-3  # of all bytes, that a move saves to be worth a loss


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a layer's weights cost in some bits.

    Attributes:
        bits: of each weight.
        bytes: of all, scales included.
        loss: of the answers when this layer alone has them.
    """

    bits: int
    bytes: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class Move:
    """A layer that gets fewer bits.

    Attributes:
        layer: its name.
        bits: from now on.
        loss_per_byte: that the answers lose, more or less.
    """

    layer: str
    bits: int
    loss_per_byte: float


def moves(choices: Mapping[str, Sequence[Choice]]) -> list[Move]:
    """The moves of all layers from their most to their fewest bits.

    Of each layer they are those of the lower convex hull of loss over bytes, so that the first
    moves of the list are the least loss for the bytes that they save, if losses add up. What saves
    less than a thousandth of all bytes is left out.

    Args:
        choices: by layer, in any order.

    Returns:
        The cheapest first; those of one layer follow each other.

    Reference: Shoham and Gersho 1988, "Efficient bit allocation for an arbitrary set of
    quantizers" (IEEE Trans. ASSP 36), section III.

    Example:
        >>> free = Choice(bits=8, bytes=100, loss=0.0), Choice(bits=4, bytes=50, loss=0.1)
        >>> moves({"dense": free})
        [Move(layer='dense', bits=4, loss_per_byte=0.002)]
    """
    whole = sum(max(one.bytes for one in points) for points in choices.values())
    least = _LEAST_SHARE * whole
    found = [move for layer, points in choices.items() for move in _hull(layer, points, least)]
    return sorted(found, key=lambda move: move.loss_per_byte)


def _hull(layer: str, points: Sequence[Choice], least_saved: float) -> list[Move]:
    left = sorted(points, key=lambda one: -one.bytes)
    at, found = left[0], []
    while smaller := [one for one in left if one.bytes < at.bytes]:
        # Of equal slopes the longest, so that the hull has no point in between.
        best = min(smaller, key=lambda one: (_slope(at, one), one.bytes))
        if at.bytes - best.bytes >= least_saved:
            found.append(Move(layer=layer, bits=best.bits, loss_per_byte=_slope(at, best)))
        at = best
    return found


def _slope(before: Choice, after: Choice) -> float:
    return max(0.0, after.loss - before.loss) / (before.bytes - after.bytes)


def bits_after(done: Sequence[Move], start: Mapping[str, int]) -> dict[str, int]:
    """The bits of each layer after some moves.

    Args:
        done: the first of what `moves` returned.
        start: before them.
    """
    return {**start, **{move.layer: move.bits for move in done}}
