"""Limits of what a file may lose and cost, and what exceeds them."""

from collections.abc import Iterator

from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.record import Loss

# Of answers that are numbers, where nothing else is asked for: 20 dB.
_NOISE = 0.1
# Milliseconds, measured in microseconds; microjoules, in nanojoules.
_LIMIT_UNITS = {"latency": 1000.0, "energy": 1000.0}


def limit_of(loss: Loss, asked: Tune) -> float:
    """How large a loss may be."""
    if loss.measure in ("accuracy", "error"):
        return asked.max_drop
    if loss.measure == "noise" and "min_agreement" not in asked.model_fields_set:
        return _NOISE
    return 1 - asked.min_agreement


def failures_of(costs: dict[str, float], loss: Loss, asked: Tune) -> tuple[str, ...]:
    """Which limits a file does not meet, one line each; of costs that are not known yet, none."""
    lines = []
    bound = limit_of(loss, asked)
    if loss.drop > bound + 1e-12:
        lines.append(f"{loss.measure}: {loss.drop:.2%} lost, and {bound:.2%} is the limit")
    for name, limit in _limits(asked):
        if name in costs and costs[name] > limit:
            lines.append(f"{name}: {costs[name]:,.6g}, and {limit:,.6g} is the limit")
    return tuple(lines)


def excess_of(costs: dict[str, float], asked: Tune) -> float:
    """By what share a file exceeds the limits of what it costs, all of those that are known.

    Example:
        >>> excess_of({"raw": 150.0}, Tune(limits={"raw": 100}))
        0.5
    """
    return sum(max(0.0, costs[name] / limit - 1) for name, limit in _limits(asked) if name in costs)


def _limits(asked: Tune) -> Iterator[tuple[str, float]]:
    """Each limit of what a file costs, in the units that costs have."""
    for name, most in asked.limits.items():
        yield name, most * _LIMIT_UNITS.get(name, 1.0)
