"""How much each tensor loses, so that all together lose what was asked."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.weights import Target, by_pattern
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.masks import allocate_globally, erdos_renyi

Array = NDArray[Any]

# Accuracy lost, by sparsity, per target name; rising sparsities.
Curves = Mapping[str, Sequence[tuple[float, float]]]


def tensor_sparsities(
    config: Prune,
    targets: Sequence[Target],
    scores: Sequence[Array],
    sparsity: float,
    curves: Curves | None = None,
) -> list[float]:
    """The sparsity of each tensor now.

    Args:
        config: what pruning is asked for.
        targets: the weights.
        scores: of each, any shape; used by the global budget.
        sparsity: of all of them together, at this point of the schedule.
        curves: for the sensitivity budget, what each tensor loses at which sparsity.

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
        [scores[index] for index in free],
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


def unit_of(config: Prune, target: Target) -> int:
    """How far the zeros of a weight may be from what was asked for: what is zeroed as one."""
    rows, columns = target.matrix_shape
    units = config.units
    if units.kind == "n:m":
        # The last group of a row may be too short to have its zeros.
        return rows * (columns % units.m) + units.m
    if units.kind == "filter":
        return columns
    return units.rows * units.columns


def _spread(
    config: Prune,
    targets: Sequence[Target],
    scores: Sequence[Array],
    sparsity: float,
    curves: Curves | None,
) -> list[float]:
    if not targets:
        return []
    if config.budget == "global":
        return allocate_globally(list(scores), sparsity, config.max_layer_sparsity)
    if config.budget == "erk":
        return erdos_renyi([target.shape for target in targets], sparsity)
    if config.budget == "sensitivity":
        if curves is None:
            raise UsageError(
                "budget 'sensitivity' needs measured curves: use prune(..., data) or the command, "
                "which measure them, or pass curves to the callback"
            )
        if missing := [target.name for target in targets if target.name not in curves]:
            raise UsageError(f"curves lack {missing[0]}: measure those of this model")
        return allocate_by_curves(
            [curves[target.name] for target in targets],
            [target.size for target in targets],
            sparsity,
            config.max_layer_sparsity,
        )
    return [sparsity] * len(targets)


def allocate_by_curves(
    curves: Sequence[Sequence[tuple[float, float]]],
    sizes: Sequence[int],
    sparsity: float,
    most: float,
) -> list[float]:
    """Finds the one loss that all tensors may have, so that together they lose what is asked.

    Each tensor is pruned as far as its own curve of lost accuracy allows; the bound is found by
    bisection. Where even the loosest bound does not reach the goal, the rest is spread evenly.

    Args:
        curves: per tensor, (sparsity, loss of accuracy) with rising sparsity.
        sizes: weights per tensor.
        sparsity: of all weights together.
        most: the most that one tensor may lose.

    Returns:
        A sparsity per tensor.
    """
    weights = np.asarray(sizes, np.float64) / float(np.sum(sizes))
    low, high = 0.0, max(loss for curve in curves for _, loss in curve) + 1e-6
    for _ in range(60):
        middle = (low + high) / 2
        reached = float(np.dot(weights, [_reach(curve, middle) for curve in curves]))
        low, high = (middle, high) if reached < sparsity else (low, middle)
    found = np.array([min(_reach(curve, high), most) for curve in curves])
    short = sparsity - float(np.dot(weights, found))
    if abs(short) > 1e-9:
        # Scale what is kept (or what is lost) by one factor, so that the sum is met.
        if short > 0:
            kept = 1.0 - found
            found = 1.0 - kept * (1.0 - sparsity) / max(float(np.dot(weights, kept)), 1e-12)
        else:
            found = found * sparsity / max(float(np.dot(weights, found)), 1e-12)
    return [float(np.clip(value, 0.0, most)) for value in found]


def _reach(curve: Sequence[tuple[float, float]], bound: float) -> float:
    """The highest sparsity at which a tensor's loss stays below the bound, interpolated."""
    points = [(0.0, 0.0), *curve]
    worst = 0.0
    for (s0, _), (s1, loss) in itertools.pairwise(points):
        loss = max(loss, worst)  # losses are noisy; a curve only rises
        if loss > bound:
            rise = loss - worst
            return s0 + (s1 - s0) * (bound - worst) / rise if rise > 0 else s0
        worst = loss
    return points[-1][0]
