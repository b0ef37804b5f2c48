"""A global budget, spent on the options that lose least together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.low_rank.low_rank import tail_energy

Array = NDArray[Any]

_STEPS = 2000


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a layer may become.

    Attributes:
        costs: of each option, (n,).
        losses: of each option, such as the share of the energy of the layer's outputs, (n,).
    """

    costs: Array
    losses: Array


def spend(layers: Sequence[Options], budget: float) -> list[int]:
    """Chooses an option for each layer, so that the sum of losses is least under the budget.

    This is the multiple-choice knapsack problem, solved by dynamic programming over the budget in
    `_STEPS` equal steps; what rounding to steps leaves over goes where it buys most.

    Args:
        layers: their options.
        budget: what all may cost together.

    Returns:
        The index of an option per layer.

    Raises:
        UsageError: the cheapest options cost more than the budget.

    Reference: Kellerer, Pferschy and Pisinger 2004, Knapsack Problems, section 11.5.

    Example:
        >>> one = Options(costs=np.array([1, 2, 4]), losses=np.array([0.5, 0.1, 0.0]))
        >>> spend([one, one], 5)
        [1, 1]
    """
    least = sum(float(one.costs.min()) for one in layers)
    if least > budget:
        raise UsageError(
            f"the budget leaves {budget:,.0f} for the layers that can be factorized, and even at "
            f"the lowest ranks they need {least:,.0f}: raise it, or protect fewer layers"
        )
    chosen = _least_loss(layers, (budget - least) / _STEPS)
    left = budget - sum(float(one.costs[at]) for one, at in zip(layers, chosen, strict=True))
    while True:
        steps = [_best_step(one, at, left) for one, at in zip(layers, chosen, strict=True)]
        best = max(range(len(steps)), key=lambda i: steps[i][0], default=0)
        if not steps or steps[best][0] <= 0:
            return chosen
        option = steps[best][1]
        left -= float(layers[best].costs[option] - layers[best].costs[chosen[best]])
        chosen[best] = option


def _least_loss(layers: Sequence[Options], step: float) -> list[int]:
    """The dynamic programme: layer by layer, the least loss for each number of steps spent."""
    losses = np.zeros(_STEPS + 1)
    taken = []
    for one in layers:
        extra = one.costs - one.costs.min()
        steps = np.where(extra > 0, _STEPS + 1, 0)
        if step > 0:
            steps = np.ceil(np.minimum(extra / step, _STEPS + 1) - 1e-9).astype(int)
        now, option = np.full(_STEPS + 1, np.inf), np.zeros(_STEPS + 1, int)
        for index in np.flatnonzero(steps <= _STEPS):
            spent = int(steps[index])
            tried = losses[: _STEPS + 1 - spent] + one.losses[index]
            better = tried < now[spent:]
            now[spent:][better] = tried[better]
            option[spent:][better] = index
        losses = now
        taken.append((option, steps))
    chosen, left = [], _STEPS
    for option, steps in reversed(taken):
        chosen.append(int(option[left]))
        left -= int(steps[chosen[-1]])
    return chosen[::-1]


def _best_step(one: Options, current: int, left: float) -> tuple[float, int]:
    """The gain per cost of a layer's best step that can be paid for, and where it leads."""
    extra = one.costs - one.costs[current]
    gain = one.losses[current] - one.losses
    possible = (extra > 0) & (extra <= left) & (gain > 0)
    if not possible.any():
        return 0.0, current
    rates = np.where(possible, gain / np.where(possible, extra, 1.0), 0.0)
    best = int(np.argmax(rates))
    return float(rates[best]), best


def rank_for_loss(values: Array, loss: float) -> int:
    """The smallest rank that loses no more than this share of the energy.

    Args:
        values: singular values, largest first.
        loss: share of Σ s² that may be lost, in [0, 1).

    Returns:
        At least 1.

    Example:
        >>> rank_for_loss(np.array([2.0, 1.0, 0.1]), 0.1)
        2
    """
    # What rounding leaves of a zero tail counts as zero.
    enough = tail_energy(values) <= loss + 1e-12
    return max(1, int(np.argmax(enough)))


def rank_for_ratio(full: int, ratio: float) -> int:
    """This share of the full rank, rounded to the nearest whole one; at least 1."""
    return max(1, min(full, round(ratio * full)))


def rounded_up(rank: int, full: int, multiple: int) -> int:
    """The next multiple, but not above the full rank: kernels work on 4, 8 or 16 at once.

    Example:
        >>> rounded_up(13, 20, 8), rounded_up(17, 20, 8)
        (16, 20)
    """
    return min(full, -(-rank // multiple) * multiple)
