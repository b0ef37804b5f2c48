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
from tflite_squeeze.techniques.low_rank.record import Allocation, Trial
from tflite_squeeze.techniques.low_rank.sensitivity import Sensitivity, interpolated, probed

Array = NDArray[Any]

Ways = list[Choice | None]
Told = Callable[[int, int], None]

# Powers of the divergence whose sums are made least: 1 is the sum; less spares many layers a
# little, more spares the worst one.
_POWERS = (1.0, 0.5, 2.0)


class _Menu(NamedTuple):
    """What a layer may become, cheapest first."""

    ways: list[Way]
    costs: Array
    losses: Array


def allocated(
    layers: Sequence[Weighed],
    config: Factorize,
    total: int,
    probe: Sensitivity | None,
    told: Told,
) -> tuple[list[Ways], Allocation]:
    """The ways to split all layers under a global budget.

    Args:
        layers: those that may be split.
        config: with a budget. Layers that `ranks` names have those ranks.
        total: cost of the whole model in the budget's unit.
        probe: measures divergences; None where the energy of singular values has to do.
        told: called with how many layers were measured, and of how many.

    Returns:
        Plans, the best first: a choice for each layer, None for one that stays whole; and how they
        were found.

    Raises:
        UsageError: the budget cannot be kept at any rank.
    """
    if config.limit is None:
        raise UsageError("there is no budget to spend: pass budget, macs_ratio or bytes_ratio")
    unit, keep = config.limit
    menus = [_menu(layer, config, unit) for layer in layers]
    stays = total - sum(float(menu.costs[-1]) for menu in menus)
    if keep * total < stays:
        raise UsageError(
            f"a budget of {keep:g} leaves {keep * total:,.0f} of {total:,} {unit}, and the layers "
            f"that cannot be factorized need {stays:,.0f} alone: raise it above {stays / total:.2f}"
        )
    money = keep * total - stays
    energies = [menu.losses for menu in menus]
    plans = {"energy": _plan(menus, energies, money)}
    if probe is None:
        allocation = Allocation(unit=unit, keep=keep, by="energy", samples=0, trials=())
        return [_ways(menus, plans["energy"])], allocation
    found = []
    for index, (layer, menu) in enumerate(zip(layers, menus, strict=True)):
        told(index, len(layers))
        found.append(_divergences(layer, menu, probe))
    told(len(layers), len(layers))
    for power in _POWERS:
        plans[f"divergence^{power:g}"] = _plan(menus, [one**power for one in found], money)
    between = [np.sqrt(one * other) for one, other in zip(found, energies, strict=True)]
    plans["divergence x energy"] = _plan(menus, between, money)
    return _ranked(layers, menus, plans, probe, (unit, keep))


def _menu(layer: Weighed, config: Factorize, unit: Unit) -> _Menu:
    ways = affordable(layer, config, unit)
    whole = layer.one.size if unit == "bytes" else layer.one.macs
    costs = np.array([way.cost(unit, whole) for way in ways], float)
    return _Menu(ways, costs, np.array([way.loss for way in ways]))


def _plan(menus: Sequence[_Menu], losses: Sequence[Array], money: float) -> tuple[int, ...]:
    options = [
        Options(costs=menu.costs, losses=some) for menu, some in zip(menus, losses, strict=True)
    ]
    return tuple(spend(options, money))


def _ways(menus: Sequence[_Menu], plan: Sequence[int]) -> Ways:
    return [menu.ways[index].choice for menu, index in zip(menus, plan, strict=True)]


def _divergences(layer: Weighed, menu: _Menu, probe: Sensitivity) -> Array:
    """The divergence of each option of a layer that alone is changed."""
    if len(menu.ways) < 2:
        return np.zeros(len(menu.ways))
    known = []
    for at in probed(menu.costs):
        way = menu.ways[at]
        if way.choice is not None:
            known.append((way.loss, probe.of([(layer, way.choice)])))
    return interpolated(menu.losses, known)


def _ranked(
    layers: Sequence[Weighed],
    menus: Sequence[_Menu],
    plans: dict[str, tuple[int, ...]],
    probe: Sensitivity,
    limit: tuple[Unit, float],
) -> tuple[list[Ways], Allocation]:
    """Measures the different plans whole; those of the least divergence come first."""
    measured: dict[tuple[int, ...], Trial] = {}
    for name, plan in plans.items():
        if plan not in measured:
            pairs = zip(layers, _ways(menus, plan), strict=True)
            apart = probe.of([(layer, way) for layer, way in pairs if way is not None])
            measured[plan] = Trial(by=name, divergence=apart)
    order = sorted(measured, key=lambda plan: measured[plan].divergence)
    unit, keep = limit
    allocation = Allocation(
        unit=unit,
        keep=keep,
        by="divergence",
        samples=probe.samples,
        trials=tuple(measured[plan] for plan in order),
    )
    return [_ways(menus, plan) for plan in order], allocation
