"""Which orders of techniques cannot hold what each of them claims."""

from collections.abc import Sequence
from typing import Any

# (earlier, later) → why the later one breaks the earlier one, and what to do.
_BREAKS = {
    ("cluster", "prune"): "new zeros and training move weights off their shared values",
    ("cluster", "l0"): "gates and training move weights off their shared values",
    ("cluster", "factorize"): "two factors take the place of the shared values",
    ("cluster", "distill"): "training moves weights off their shared values",
    ("cluster", "narrow"): "training after it moves weights off their shared values",
    ("cluster", "binarize"): "signs take the place of the shared values",
    ("prune", "factorize"): "the factors of a sparse matrix are dense",
    ("l0", "factorize"): "the factors of a sparse matrix are dense",
    ("prune", "binarize"): "signs have no zeros",
    ("l0", "binarize"): "signs have no zeros",
    ("factorize", "narrow"): "factorized layers have no filters to remove",
}
# Nothing that trains plain weights can follow.
_LAST = ("binarize",)


def order_problem(steps: Sequence[tuple[str, Any, bool]]) -> tuple[int, str] | None:
    """The first step that undoes what an earlier one did.

    Args:
        steps: (technique, its settings, whether the step may be skipped) in order.

    Returns:
        The step's index and the reason, or None.

    Example:
        >>> order_problem([("cluster", None, False), ("prune", None, False)])[0]
        1
    """
    for index, (later, settings, _) in enumerate(steps):
        for before, (earlier, *_) in enumerate(steps[:index]):
            if earlier in _LAST:
                return index, f"{later} cannot follow {earlier}: put {earlier} last"
            reason = _BREAKS.get((earlier, later))
            if reason is not None:
                return index, (
                    f"{later} (step {index + 1}) undoes {earlier} (step {before + 1}): {reason}; "
                    f"put {later} first"
                )
        lower = _lower_target(steps[:index], later, settings)
        if lower is not None:
            return index, lower
    return None


def _lower_target(
    earlier: Sequence[tuple[str, Any, bool]], later: str, settings: Any
) -> str | None:
    """Why pruning to fewer zeros than there are already does nothing, or None.

    After a step that may be skipped it is a second attempt.
    """
    if later != "prune" or settings is None or settings.only or settings.layers:
        return None
    for at, (technique, before, optional) in enumerate(earlier):
        if technique != "prune" or before is None or optional or before.only or before.layers:
            continue
        alike = before.granularity == settings.granularity
        if alike and 0 < settings.target <= before.target:
            return (
                f"prune to {settings.target:g} does nothing after prune to {before.target:g} "
                f"(step {at + 1}): ask for more zeros, or leave it out"
            )
    return None
