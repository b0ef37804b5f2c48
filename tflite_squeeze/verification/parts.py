"""Parts of an output that a file loses although the output as a whole looks right."""

import math

import numpy as np

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.runtime.parts import Array, Parts, parts_of

_LISTED = 8
# Of a kind of many parts, such as features, this share may be lost; of 19 or fewer, none.
_FEW = 0.05

_ALONE = {
    Quantization.INT8: "leave its scale and offset to the app, or use --quantize mixed",
    Quantization.INT16X8: "leave its scale and offset to the app, or use --quantize float16",
}
_REMEDIES = {
    Quantization.INT8: "give each part with a different scale an output of its own, "
    "leave offsets to the app, or use --quantize mixed",
    Quantization.INT16X8: "give each part with a different scale an output of its own, "
    "leave offsets to the app, or use --quantize float16",
    Quantization.DYNAMIC: "use --quantize float16",
    Quantization.MIXED: "use --quantize float16",
    Quantization.FLOAT16: "use --quantize none",
    Quantization.NONE: "convert the model again",
}


class PartFidelity(Frozen):
    """A column of an output, or an index of another axis.

    Attributes:
        index: which.
        sqnr_db: signal to quantization noise ratio, its mean left out.
        mean: of the model's values.
        spread: their standard deviation.
        frozen: whether it varies in the model and is constant in the file.
    """

    index: int
    sqnr_db: float
    mean: float
    spread: float
    frozen: bool


class AxisFidelity(Frozen):
    """The parts of an output along one axis.

    Attributes:
        axis: the axis, examples being axis 0; -1 is the last, whose parts are columns.
        count: how many parts there are.
        lost: how many are below the limit.
        share: the largest share that is lost of the parts of one kind, whose scales are alike.
        worst: the worst of them, the worst first.
    """

    axis: int
    count: int
    lost: int
    share: float
    worst: tuple[PartFidelity, ...]


def compare_parts(reference: Array, values: Array, least_db: float) -> tuple[AxisFidelity, ...]:
    """Compares the parts of an output along each axis that has parts.

    Args:
        reference: (examples, ...) from the model.
        values: the same from the file.
        least_db: the minimum for a part.
    """
    return tuple(_along(parts, least_db) for parts in parts_of(reference, values))


def _along(parts: Parts, least_db: float) -> AxisFidelity:
    order = np.lexsort((parts.sqnr_db, ~parts.frozen))[:_LISTED]
    return AxisFidelity(
        axis=parts.axis,
        count=len(parts.sqnr_db),
        lost=int(np.sum(parts.lost(least_db))),
        share=parts.lost_of_kind(least_db),
        worst=tuple(
            PartFidelity(
                index=int(at),
                sqnr_db=float(parts.sqnr_db[at]),
                mean=float(parts.mean[at]),
                spread=float(parts.spread[at]),
                frozen=bool(parts.frozen[at]),
            )
            for at in order
        ),
    )


def worst_part(axes: tuple[AxisFidelity, ...]) -> tuple[str, float]:
    """The name of the worst part of all axes, "" where it is all there is, and its SQNR in dB."""
    found = [
        (
            axis.worst[0].sqnr_db,
            "" if axis.count == 1 else part_name(axis.axis, axis.worst[0].index),
        )
        for axis in axes
    ]
    sqnr_db, name = min(found, default=(math.inf, ""))
    return name, sqnr_db


def part_name(axis: int, *indexes: int) -> str:
    """What a report calls parts.

    Example:
        >>> part_name(-1, 4), part_name(-1, 4, 7), part_name(1, 0)
        ('column 4', 'columns 4, 7', 'index 0 of axis 1')
    """
    several = len(indexes) > 1
    numbers = ", ".join(map(str, indexes))
    if axis == -1:
        return f"column{'s' * several} {numbers}"
    return f"{'indexes' if several else 'index'} {numbers} of axis {axis}"


def lost_parts(
    axes: tuple[AxisFidelity, ...],
    least_db: float,
    quantization: Quantization,
    *,
    few: bool = False,
) -> list[str]:
    """What a report says of the parts that are lost: which, how much, what to do.

    Args:
        axes: what `compare_parts` found.
        least_db: the minimum for a part.
        quantization: of the file, which decides on the remedy.
        few: whether to tell of those that are so few of their kind that the file passes, as
            weak features among a thousand are, instead of those that fail it.
    """
    return [
        _lost(axis, least_db, quantization)
        for axis in axes
        if axis.lost and few is (axis.share <= _FEW)
    ]


def _lost(axis: AxisFidelity, least_db: float, quantization: Quantization) -> str:
    worst = axis.worst[0]
    why = (
        "varies in the model and is constant in the file"
        if worst.frozen
        else f"reaches {worst.sqnr_db:.1f} dB about its mean, below {least_db:g} dB"
    )
    if axis.count == 1:
        return f"it {why}: {(_REMEDIES | _ALONE)[quantization]}"
    named = part_name(axis.axis, worst.index)
    if axis.lost > 1:
        shown = [part.index for part in axis.worst[: axis.lost]]
        more = f" and {axis.lost - len(shown)} more" if axis.lost > len(shown) else ""
        return (
            f"{part_name(axis.axis, *sorted(shown))}{more} of {axis.count} are lost ({named} "
            f"{why}): {_REMEDIES[quantization]}"
        )
    return f"{named} {why}: {_REMEDIES[quantization]}"
