"""Which orders of techniques cannot hold what each of them claims."""

from collections.abc import Sequence
from typing import Any

from tflite_squeeze.techniques.registry import technique

# (technique, its settings, whether the step may be skipped)
Ordered = tuple[str, Any, bool]


def order_problem(steps: Sequence[Ordered]) -> tuple[int, str] | None:
    """The first step that undoes what an earlier one did, or does nothing after it.

    Args:
        steps: (technique, its settings, whether the step may be skipped) in order.

    Returns:
        The step's index and the reason, or None.

    Example:
        >>> order_problem([("cluster", None, False), ("prune", None, False)])[0]
        1
    """
    for index, step in enumerate(steps):
        for before, earlier in enumerate(steps[:index]):
            problem = _undone(earlier[0], before, step[0], index)
            if problem is not None:
                return index, problem
        for before, earlier in enumerate(steps[:index]):
            reason = _redundant(earlier, step)
            if reason is not None:
                return index, (
                    f"{step[0]} (step {index + 1}) does nothing after {earlier[0]} "
                    f"(step {before + 1}): {reason}"
                )
    return None


def _undone(earlier: str, before: int, later: str, index: int) -> str | None:
    """Why a technique destroys what an earlier one made, or None."""
    if technique(earlier).last:
        return f"{later} cannot follow {earlier}: put {earlier} last"
    for made in technique(earlier).makes:
        reason = technique(later).undoes.get(made)
        if reason is not None:
            return (
                f"{later} (step {index + 1}) undoes {earlier} (step {before + 1}): {reason}; "
                f"put {later} first"
            )
    return None


def _redundant(earlier: Ordered, later: Ordered) -> str | None:
    """Why a step does nothing after one of the same technique.

    After a step that may be skipped it is a second attempt.
    """
    (name, before, optional), (same, settings, _) = earlier, later
    judge = technique(same).part("redundant")
    if name != same or judge is None or optional or before is None or settings is None:
        return None
    reason: str | None = judge(before, settings)
    return reason
