"""How much each tensor loses, so that all together lose what was asked."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.weights import Target, by_pattern
from tflite_squeeze.techniques.pruning.budgets import Curve
from tflite_squeeze.techniques.pruning.config import BUDGET, Prune

Array = NDArray[Any]

# By the target's name.
Curves = Mapping[str, Curve]


def tensor_sparsities(
    config: Prune,
    targets: Sequence[Target],
    scores: Sequence[Array],
    sparsity: float,
    curves: Curves | None = None,
) -> list[float]:
    """The sparsity of each tensor now.

    Args:
        config: the configuration of pruning.
        targets: the weights.
        scores: of each, (outputs, inputs); none for a budget that does not look at them.
        sparsity: of all of them together, at this point of the schedule.
        curves: for a budget that asks for them, what each tensor loses at which sparsity.

    Returns:
        A fraction in [0, 1) per target.

    Raises:
        UsageError: a budget lacks what it needs, or a pattern matches no layer.
    """
    target = config.target
    progress = sparsity / target if target > 0 else 1.0
    own = by_pattern(config.layers, targets)
    free = [index for index in range(len(targets)) if index not in own]
    spread = _spread(
        config,
        [targets[index] for index in free],
        [scores[index] for index in free] if scores else (),
        sparsity,
        curves,
    )
    result = dict(zip(free, spread, strict=True))
    result |= {index: progress * value for index, value in own.items()}
    return [result[index] for index in range(len(targets))]


def final_sparsity(config: Prune, targets: Sequence[Target]) -> float:
    """The share of all selected weights that is to be zero in the end; 0 with a threshold.

    Raises:
        UsageError: a pattern matches no layer.
    """
    if config.threshold is not None:
        return 0.0
    own = by_pattern(config.layers, targets)
    limit = config.units.fixed_sparsity or 1.0
    zeros = sum(
        target.size * min(own.get(index, config.target), limit)
        for index, target in enumerate(targets)
    )
    return zeros / max(1, sum(target.size for target in targets))


def _spread(
    config: Prune,
    targets: Sequence[Target],
    scores: Sequence[Array],
    sparsity: float,
    curves: Curves | None,
) -> list[float]:
    """The budget's own answer, checked: a user's function may be wrong."""
    if not targets:
        return []
    budget = config.spread_by
    given: dict[str, Any] = {
        "sparsity": sparsity,
        "sizes": [target.size for target in targets],
        "shapes": [target.shape for target in targets],
        "scores": list(scores),
        "most": config.max_layer_sparsity,
    }
    wanted = BUDGET.wanted(budget)
    if "curves" in wanted:
        given["curves"] = _curves_of(targets, curves, config.budget_name)
    spread = [float(share) for share in budget(**{name: given[name] for name in wanted})]
    if len(spread) != len(targets) or not all(0 <= share <= 1 for share in spread):
        raise UsageError(
            f"budget {config.budget_name!r} gives {spread} for {len(targets)} tensors: return a "
            f"sparsity in [0, 1] for each"
        )
    return spread


def _curves_of(targets: Sequence[Target], curves: Curves | None, budget: str) -> list[Curve]:
    if curves is None:
        raise UsageError(
            f"budget {budget!r} needs measured curves: use prune(..., data) or the command, "
            f"which measure them, or pass curves to the callback"
        )
    if missing := [target.name for target in targets if target.name not in curves]:
        raise UsageError(f"curves lack {missing[0]}: measure those of this model")
    return [curves[target.name] for target in targets]
