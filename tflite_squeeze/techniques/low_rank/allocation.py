"""One budget over all layers: ranks by how much the model's answers change.

Each layer is measured alone at a few ranks, and the sum of the divergences is the least under the
budget. As divergences do not add up, the best few allocations are then measured whole.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.low_rank.config import Factorize, Unit
from tflite_squeeze.techniques.low_rank.factor_schemes import Choice
from tflite_squeeze.techniques.low_rank.factorable import Weighed
from tflite_squeeze.techniques.low_rank.rank_budget import Options, spend
from tflite_squeeze.techniques.low_rank.rank_choice import Way, affordable
from tflite_squeeze.techniques.low_rank.record import Spending, Trial
from tflite_squeeze.techniques.low_rank.sensitivity import Sensitivity, interpolated, probed
from tflite_squeeze.training.progress import Working

Array = NDArray[Any]

Ways = list[Choice | None]

# Powers of the divergence whose sums are made least: 1 is the sum; less spares many layers a
# little, more spares the worst one.
_POWERS = (1.0, 0.5, 2.0)


# Takes a layer and ways to split it; returns how long the whole layer takes and each of them, us.
Clock = Callable[[Weighed, Sequence[Choice]], tuple[float, Sequence[float]]]


class _Menu(NamedTuple):
    """What a layer may become, cheapest first."""

    ways: list[Way]
    costs: Array
    losses: Array


class Allocation:
    """Options of all layers, with what they cost and what the answers lose.

    Args:
        layers: those that may be split.
        config: with a budget. Layers that `ranks` names have those ranks.
        total: cost of the whole model in the budget's unit.
        probe: measures divergences; None where the energy of singular values has to do.
        tell: told of layers that are timed and measured.
        clock: measures times, for a latency budget.
    """

    def __init__(
        self,
        layers: Sequence[Weighed],
        config: Factorize,
        total: float,
        probe: Sensitivity | None,
        tell: Working,
        clock: Clock | None = None,
    ) -> None:
        if config.limit is None:
            raise UsageError("there is no budget to spend: pass budget, macs_ratio or bytes_ratio")
        self._unit, self.keep = config.limit
        self._layers, self._total, self._probe = layers, total, probe
        self._menus = []
        for index, layer in enumerate(layers):
            tell("timing layers" if clock else "decomposing layers", index, len(layers))
            self._menus.append(_menu(layer, config, self._unit, clock))
        self._energies = [menu.losses for menu in self._menus]
        self._divergences = []
        for index, (layer, menu) in enumerate(zip(layers, self._menus, strict=True)):
            if probe is not None:
                tell("measuring layers", index, len(layers))
                self._divergences.append(_divergences(layer, menu, probe))

    def plans(self, keep: float | None = None) -> tuple[list[Ways], Spending]:
        """The ways to split all layers under the budget.

        Args:
            keep: fraction of the whole cost to plan for; None for that of the config.

        Returns:
            Plans, the best first: a choice for each layer, None for one that stays whole; and how
            they were found.

        Raises:
            UsageError: the budget cannot be kept at any rank.
        """
        keep = self.keep if keep is None else keep
        stays = self._total - sum(float(menu.costs[-1]) for menu in self._menus)
        if keep * self._total < stays:
            raise UsageError(
                f"a budget of {keep:g} leaves {keep * self._total:,.0f} of {self._total:,.0f} "
                f"{self._unit}, and the layers that cannot be factorized need {stays:,.0f} alone: "
                f"raise it above {stays / self._total:.2f}"
            )
        money = keep * self._total - stays
        plans = {"energy": self._plan(self._energies, money)}
        if self._probe is None:
            spent = Spending(unit=self._unit, keep=self.keep, by="energy", samples=0, trials=())
            return [self._ways(plans["energy"])], spent
        found = self._divergences
        for power in _POWERS[: self._probe.points - 1]:
            plans[f"divergence^{power:g}"] = self._plan([one**power for one in found], money)
        between = [np.sqrt(one * other) for one, other in zip(found, self._energies, strict=True)]
        plans["divergence x energy"] = self._plan(between, money)
        return self._ranked(plans, self._probe)

    def _plan(self, losses: Sequence[Array], money: float) -> tuple[int, ...]:
        pairs = zip(self._menus, losses, strict=True)
        return tuple(spend([Options(costs=menu.costs, losses=one) for menu, one in pairs], money))

    def _ways(self, plan: Sequence[int]) -> Ways:
        return [menu.ways[index].choice for menu, index in zip(self._menus, plan, strict=True)]

    def _ranked(
        self, plans: dict[str, tuple[int, ...]], probe: Sensitivity
    ) -> tuple[list[Ways], Spending]:
        """Measures the different plans whole; those of the least divergence come first."""
        measured: dict[tuple[int, ...], Trial] = {}
        for name, plan in plans.items():
            if plan not in measured:
                pairs = zip(self._layers, self._ways(plan), strict=True)
                apart = probe.of([(layer, way) for layer, way in pairs if way is not None])
                measured[plan] = Trial(by=name, divergence=apart)
        order = sorted(measured, key=lambda plan: measured[plan].divergence)
        spent = Spending(
            unit=self._unit,
            keep=self.keep,
            by="divergence",
            samples=probe.samples,
            trials=tuple(measured[plan] for plan in order),
        )
        return [self._ways(plan) for plan in order], spent


def _menu(layer: Weighed, config: Factorize, unit: Unit, clock: Clock | None) -> _Menu:
    ways = affordable(layer, config, unit)
    whole = layer.one.size if unit == "bytes" else layer.one.macs
    costs = np.array([way.cost(unit, whole) for way in ways], float)
    if clock is not None:
        alone, split = clock(layer, [way.choice for way in ways if way.choice is not None])
        times = np.array([*split, alone])
        # Of the ways that are no faster than the layer, none is worth its loss.
        able = [*np.flatnonzero(times[:-1] < alone), len(ways) - 1]
        able = sorted(able, key=lambda at: float(times[at]))
        ways, costs = [ways[at] for at in able], times[able]
    return _Menu(ways, costs, np.array([way.loss for way in ways]))


def _divergences(layer: Weighed, menu: _Menu, probe: Sensitivity) -> Array:
    """The divergence of each option of a layer that alone is changed."""
    if len(menu.ways) < 2:
        return np.zeros(len(menu.ways))
    known = []
    for at in probed(menu.costs, probe.points):
        way = menu.ways[at]
        if way.choice is not None:
            known.append((way.loss, probe.of([(layer, way.choice)])))
    return interpolated(menu.losses, known)
