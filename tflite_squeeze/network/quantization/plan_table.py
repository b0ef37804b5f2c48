"""A quantization plan as a table."""

from collections import Counter
from collections.abc import Mapping

from tflite_squeeze.network.quantization.plan import (
    ActivationQuantization,
    QuantizationPlan,
    WeightQuantization,
)
from tflite_squeeze.tables.table import Cell, Table, first_name, listed

_COLUMNS = ("tensor", "holds", "bits", "scales", "scale", "low", "high")


def plan_table(plan: QuantizationPlan, *, most: int | None = None, see_all: str = "") -> Table:
    """What each weight and each activation is quantized to; what stays in float, in a line.

    Args:
        plan: what to show.
        most: how many rows there may be; the first weights and the first activations are kept.
        see_all: what to do to see all rows, for the line that says how many are missing.

    Example:
        >>> plan_table(plan).rows[0]
        ('dense/kernel', 'weights', 4, '10 (axis 0)', '0.01 to 0.02', None, None)
    """
    weights = [_weight(name, one) for name, one in plan.weights.items() if one.bits is not None]
    activations = [
        _activation(name, one) for name, one in plan.activations.items() if one.bits is not None
    ]
    notes = [_counted("weights", plan.weights), _counted("activations", plan.activations)]
    rows = [*weights, *activations]
    if most is not None and len(rows) > most:
        few = max(most - len(activations), min(len(weights), most // 2))
        rows = [*weights[:few], *activations[: most - few]]
        left = len(weights) + len(activations) - len(rows)
        notes.append(f"{left} more tensors are quantized: {see_all}")
    return Table(title="Quantization plan", columns=_COLUMNS, rows=tuple(rows), notes=tuple(notes))


def _weight(name: str, one: WeightQuantization) -> tuple[Cell, ...]:
    channels = f"{len(one.scale or ()) or 'per channel'} (axis {one.axis})"
    return (first_name(name), "weights", one.bits, "per tensor" if one.axis is None else channels,
            _range(one.scale or ()), *_extent(one))  # fmt: skip


def _extent(one: WeightQuantization) -> tuple[Cell, Cell]:
    """The real values of the lowest and highest integer, where there is one scale."""
    if one.scale is None or len(one.scale) > 1:
        return None, None
    (scale,) = one.scale
    low = -one.levels if not one.zero_point else -one.zero_point
    high = one.levels if not one.zero_point else 255 - one.zero_point
    return low * scale, high * scale


def _activation(name: str, one: ActivationQuantization) -> tuple[Cell, ...]:
    scale = "not calibrated" if one.scale is None else f"{one.scale:.4g}"
    return (first_name(name), "activations", one.bits, "per tensor", scale, one.low, one.high)


def _range(scales: tuple[float, ...]) -> str:
    if not scales:
        return "from the weights"
    least, most = f"{min(scales):.4g}", f"{max(scales):.4g}"
    return least if least == most else f"{least} to {most}"


def _counted(
    what: str, entries: Mapping[str, WeightQuantization] | Mapping[str, ActivationQuantization]
) -> str:
    """How many tensors have how many bits, and which of them are in float beside those."""
    if not entries:
        return f"no {what}"
    counts = Counter(one.bits for one in entries.values())
    floats = tuple(first_name(name) for name, one in entries.items() if one.bits is None)
    few = sorted(bits for bits in counts if bits is not None)
    parts = [f"{counts[bits]} in {bits} bits" for bits in few]
    if floats:
        named = f" ({listed(floats)})" if parts else ""
        parts.append(f"{len(floats)} in float{named}")
    return f"{what}: {', '.join(parts)}"
