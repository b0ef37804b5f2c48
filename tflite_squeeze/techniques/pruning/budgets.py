"""How sparsity is spread over tensors: the budgets of pruning, as pure functions.

The names of a budget's parameters say what it is given, see `GIVEN`; it returns a sparsity for each
tensor. A new one is such a function and its line in `BUDGETS`; a user's own is handed over as
`Prune(budget=function)`.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# (sparsity, accuracy lost) with rising sparsity.
Curve = Sequence[tuple[float, float]]

# What a budget may take, and what the user's data needs for it.
GIVEN = {
    "sparsity": None,  # of all tensors together, now
    "sizes": None,  # weights of each tensor
    "shapes": None,  # of each tensor, as Keras has it
    "scores": None,  # of each tensor, (outputs, inputs)
    "most": None,  # that one tensor may lose: max_layer_sparsity
    "curves": "labels",  # of each tensor, what it loses at which sparsity
}


def uniform(sizes: Sequence[int], sparsity: float) -> list[float]:
    """All tensors alike."""
    return [sparsity] * len(sizes)


def allocate_globally(scores: list[Array], sparsity: float, most: float = 1.0) -> list[float]:
    """The sparsity of each tensor when all their weights are ranked together.

    Args:
        scores: per tensor, any shape.
        sparsity: of all weights together.
        most: the highest sparsity that one tensor may get, so that none is cut off.

    Returns:
        A sparsity per tensor; their weighted mean is `sparsity` to within one weight, unless
        `most` forbids it.
    """
    sizes = np.array([item.size for item in scores])
    limits = np.floor(most * sizes).astype(np.int64)
    goal = min(round(sparsity * int(sizes.sum())), int(limits.sum()))
    owners = np.repeat(np.arange(len(scores)), sizes)
    order = np.argsort(np.concatenate([item.ravel() for item in scores]), kind="stable")
    ranked = owners[order]
    taken = np.zeros(len(scores), np.int64)
    free = np.ones(len(scores), np.bool_)
    while taken.sum() < goal and free.any():
        eligible = ranked[free[ranked]]
        # Those of full tensors go to the next in rank.
        counts = np.bincount(eligible[: goal - int(taken[~free].sum())], minlength=len(scores))
        taken = np.where(free, np.minimum(counts, limits), taken)
        full = free & (counts > limits)
        if not full.any():
            break
        free &= ~full
    return [float(count / size) for count, size in zip(taken, sizes, strict=True)]


def erdos_renyi(shapes: list[tuple[int, ...]], sparsity: float) -> list[float]:
    """The sparsity of each tensor by the Erdős-Rényi-kernel rule.

    A tensor keeps weights in proportion to the sum of its dimensions over their product, so that
    small tensors stay denser.

    Args:
        shapes: Keras shapes, (..., inputs, outputs).
        sparsity: of all weights together.

    Returns:
        A sparsity per tensor; the weighted mean is `sparsity`.

    Reference: Evci et al. 2020, arXiv:1911.11134, section 3.
    """
    sizes = np.array([float(np.prod(shape)) for shape in shapes])
    raw = np.array([sum(shape) / float(np.prod(shape)) for shape in shapes])
    dense = np.zeros(len(shapes), np.bool_)
    while True:
        kept = (1.0 - sparsity) * sizes.sum() - sizes[dense].sum()
        scale = max(kept, 0.0) / max(float((raw * sizes)[~dense].sum()), 1e-12)
        over = ~dense & (scale * raw > 1.0)
        if not over.any():
            break
        dense |= over
    return [0.0 if full else float(1.0 - scale * r) for full, r in zip(dense, raw, strict=True)]


def allocate_by_curves(
    curves: Sequence[Curve],
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


def _reach(curve: Curve, bound: float) -> float:
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


BUDGETS: dict[str, Callable[..., Sequence[float]]] = {
    "uniform": uniform,
    "global": allocate_globally,
    "erk": erdos_renyi,
    "sensitivity": allocate_by_curves,
}
