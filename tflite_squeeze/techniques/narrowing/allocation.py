"""How narrow each group gets under one budget, so that the model loses least.

Each group alone is cut to some widths and repaired on a few samples, and the divergence of the
model's answers from the original's is measured on samples that were held back. A search over all
groups finds the widths with the least sum under the budget. Divergences of single groups do not add
up, so that the best few are cut, repaired and measured whole, and the best of them is taken.

What a cut saves is counted, or, for time, measured: MACs mislead, since kernels compute so many
channels at a time and since much of a small network's time is no arithmetic.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.network.graph import Node
from tflite_squeeze.network.layer_macs import Shape, layer_macs
from tflite_squeeze.techniques.narrowing.channels import Channels, Group
from tflite_squeeze.techniques.narrowing.scores import Ranking
from tflite_squeeze.techniques.narrowing.width_table import Widths, WidthTable
from tflite_squeeze.training.divergence import Divergence

Array = NDArray[Any]

_FEWEST = 2
_LEVELS = 6  # widths of a group that are measured; between them the divergence is interpolated
# Powers of the single divergences: that of groups that hardly matter alone grows in company.
_POWERS = (1.0, 0.75, 0.5, 0.35, 1.5)
_TRADES = 8  # between two groups of the best widths so far, measured whole
_CORRECTIONS = 2  # rounds in which predicted times are put right
_SLACK = 1e-6
_INTEGER_BYTES, _BIAS_BYTES = 1, 4
_TINY = 1e-9
_SAVED = 0.95  # of the cost: what saves less says little of predictions


@dataclass(frozen=True)
class Trial:
    """A model with some widths, cut, repaired and measured.

    Attributes:
        widths: of the groups.
        cost: what it costs, as a share of what the model cost.
        divergence: of its answers from the original's.
        model: the narrower model.
        predicted: the cost by what each group saved alone, where that was asked for.
    """

    widths: Widths
    cost: float
    divergence: float
    model: Any
    predicted: float = math.nan


class Singles(Frozen):
    """What has been measured of each group alone.

    Attributes:
        levels: the widths at which each group is measured.
        divergences: of all of these in turn; the first ones only, until all are measured.
        shares: of the time, of those that are timed; none until all are.
    """

    levels: tuple[tuple[int, ...], ...]
    divergences: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()


class Costs:
    """What a model with fewer channels costs, as a share of what it costs whole.

    Args:
        channels: of the model.
        budget: "macs", or "bytes" of the weights in int8.
    """

    def __init__(self, channels: Channels, budget: Literal["macs", "bytes"]) -> None:
        nodes: dict[int, list[Node]] = {}
        for node in channels.graph.nodes.values():
            if node.source is not None and not node.operation and node.source.weights:
                nodes.setdefault(id(node.source), []).append(node)
        self._layers = []
        for key, calls in nodes.items():
            layer = calls[0].source
            shapes = [tuple(weight.shape) for weight in layer.weights]
            scale = _macs_per_weight(channels, calls, shapes) if budget == "macs" else None
            self._layers.append((channels.axes.get(key, []), shapes, scale))
        self._whole = 1.0
        self._whole = max(self.of(np.ones(len(channels.group_of), bool)), _TINY)

    def of(self, stays: Array) -> float:
        """The share that is left where only some units stay, (all units,)."""
        total = 0.0
        for axes, shapes, scale in self._layers:
            sizes = [float(np.prod(shape)) for shape in shapes]
            for weight, axis, units in axes:
                sizes[weight] *= np.count_nonzero(stays[units]) / shapes[weight][axis]
            total += self._of_layer(sizes, shapes, scale)
        return total / self._whole

    def of_many(self, stays: Sequence[Sequence[Array]]) -> Callable[[Array], Array]:
        """The same for many choices of widths at once: what tensors lack adds up over groups.

        Args:
            stays: for each group and each of its widths, (all units,), all other groups whole.

        Returns:
            (n, groups) numbers of widths → (n,) shares.
        """
        lacking = [
            [
                [np.array([np.count_nonzero(~one[units]) for one in own]) for own in stays]
                for _, _, units in axes
            ]
            for axes, _, _ in self._layers
        ]

        def shares(places: Array) -> Array:
            total = np.zeros(len(places))
            for (axes, shapes, scale), lacks in zip(self._layers, lacking, strict=True):
                sizes = [np.full(len(places), float(np.prod(shape))) for shape in shapes]
                for (weight, axis, _), lack in zip(axes, lacks, strict=True):
                    whole = shapes[weight][axis]
                    gone = sum(own[at] for own, at in zip(lack, places.T, strict=True) if own.any())
                    sizes[weight] *= np.maximum(whole - gone, 1) / whole
                total += self._of_layer(sizes, shapes, scale)
            return total / self._whole

        return shares

    @staticmethod
    def _of_layer(sizes: Sequence[Any], shapes: Sequence[Shape], scale: float | None) -> Any:
        """What a layer costs whose weights have these sizes."""
        pairs = list(zip(sizes, [len(shape or ()) > 1 for shape in shapes], strict=True))
        if scale is not None:
            return scale * sum(size for size, is_matrix in pairs if is_matrix)
        return sum(size * (_INTEGER_BYTES if matrix else _BIAS_BYTES) for size, matrix in pairs)


def _macs_per_weight(
    channels: Channels, calls: Sequence[Node], shapes: Sequence[tuple[int, ...]]
) -> float:
    """Multiplications per weight of a layer's matrices, over all of its calls."""
    matrices = sum(float(np.prod(shape)) for shape in shapes if len(shape) > 1)
    total = 0
    for node in calls:
        received, *others = _received(channels, node) or [None]
        macs = layer_macs(node.source, received, _closed(node.shapes[0]), others)
        total += macs or 0
    return total / matrices if matrices else 0.0


def _received(channels: Channels, node: Node) -> list[Shape]:
    nodes = channels.graph.nodes
    return [_closed(nodes[value.node].shapes[value.output]) for value in node.inputs]


def _closed(shape: Any) -> Shape:
    return None if shape is None else tuple(-1 if size is None else size for size in shape)


def stays_of(
    channels: Channels, groups: Sequence[Group], rankings: Sequence[Ranking], widths: Sequence[int]
) -> Array:
    """Which units stay where groups have some widths.

    Args:
        channels: of the model.
        groups: some of its groups.
        rankings: of their channels.
        widths: how many of them stay.

    Returns:
        (all units,), True for all that none of the groups has, and for the best of every tensor
        that would have none.
    """
    found = np.ones(len(channels.group_of), bool)
    late = np.zeros(len(found))
    for group, ranking, width in zip(groups, rankings, widths, strict=True):
        found[group.units] = False
        found[group.units[ranking.stays(width)]] = True
        late[group.units[ranking.order]] = np.arange(group.size) / group.size
    for part in channels.parts:
        if not found[part].any():
            found[part[np.argmax(late[part])]] = True
    return found


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a search for widths works with.

    Attributes:
        channels: of the model.
        groups: those that may get narrower.
        rankings: of their channels.
        multiple: widths are multiples of it, as far as a group is wide enough.
        tried: makes the model with some units, repairs it, and returns it with its answers to the
            samples that were held back.
        compared: its answers alone, repaired on few samples: enough to compare widths.
        cut: the model with some units, not repaired.
        apart: from the original's answers.
        costs: the share of MACs or bytes of some units.
        times: shares of the time of models, taken one by one; None where the budget is no time.
        told: of the progress, (done, of).
        seconds: about how long each group alone may be measured; None for as long as it takes.
        before: what an earlier search has measured of the same groups; None without one.
        keep: is given what is measured of each group alone, each time that there is more of it.
    """

    channels: Channels
    groups: Sequence[Group]
    rankings: Sequence[Ranking]
    multiple: int
    tried: Callable[[Array], tuple[Any, list[Array]]]
    compared: Callable[[Array], list[Array]]
    cut: Callable[[Array], Any]
    apart: Divergence
    costs: Costs
    times: Callable[[Iterable[Any]], list[float]] | None = None
    told: Callable[[int, int], None] | None = None
    seconds: float | None = None
    before: Singles | None = None
    keep: Callable[[Singles], None] = lambda _: None

    def stays(self, widths: Mapping[int, int]) -> Array:
        """(all units,) which stay, where some groups have other widths."""
        full = [widths.get(at, group.size) for at, group in enumerate(self.groups)]
        return stays_of(self.channels, self.groups, self.rankings, full)

    def best(self, keep: float) -> tuple[Trial, list[Trial]]:
        """The trial that loses least at a cost of at most `keep`, and all that were measured.

        Where no trial is cheap enough, it is the cheapest.

        Args:
            keep: share of the cost that may be left.
        """
        rounds = 1 if self.times is None else _CORRECTIONS
        before = len(self._singles)
        steps = before + rounds * len(_POWERS) + _TRADES
        table, trials = self._table, dict[Widths, Trial]()
        shares = dict.fromkeys(_POWERS, keep)
        for done, power in enumerate(_POWERS * rounds, before):
            self._tell(done, steps)
            widths = table.solved(shares[power], power)
            if widths not in trials:
                (trials[widths],) = self._measured([widths])
            shares[power] *= min(1.05, keep / trials[widths].cost)  # times differ from predictions
        for done in range(steps - _TRADES, steps):
            self._tell(done, steps)
            best = _best(list(trials.values()), keep)
            untried = [
                one for one in table.near(best.widths, keep, _POWERS[2]) if one not in trials
            ]
            if not untried:
                break
            (trials[untried[0]],) = self._measured([untried[0]])
        self._tell(steps, steps)
        found = self._timed_together(list(trials.values()))
        return _best(found, keep), found

    def quick(self, keep: float) -> Trial:
        """The same without trades; without its model, but with what it was predicted to cost.

        Args:
            keep: share of the cost that may be left.
        """
        scale = self._scale
        share = 1 - (1 - keep) / scale
        wanted = dict.fromkeys(self._table.solved(share, power) for power in _POWERS)
        fresh = [widths for widths in wanted if widths not in self._known]
        for one in self._measured(fresh):
            predicted = 1 - scale * (1 - self._table.cost_of(one.widths))
            self._known[one.widths] = replace(one, model=None, predicted=predicted)
        return _best([self._known[widths] for widths in wanted], keep)

    @property
    def least_cost(self) -> float:
        """What the narrowest model would cost, as it is predicted."""
        return self._table.least_cost

    @property
    def _scale(self) -> float:
        """How much whole plans saved of what their groups saved alone; 1 until one is known."""
        found = [
            (1 - one.cost) / (1 - self._table.cost_of(one.widths))
            for one in self._known.values()
            if one.cost < _SAVED and self._table.cost_of(one.widths) < _SAVED
        ]
        return float(np.median(found)) if found and self.times is not None else 1.0

    @cached_property
    def _known(self) -> dict[Widths, Trial]:
        return {}

    @cached_property
    def _levels(self) -> tuple[tuple[int, ...], ...]:
        if self.before is not None:
            return self.before.levels
        most = self._most_levels
        return tuple(
            tuple(_levels(group.size, group.step(self.multiple), most)) for group in self.groups
        )

    @cached_property
    def _most_levels(self) -> int:
        """How many widths of a group are measured: fewer of a network that takes long."""
        if self.seconds is None:
            return _LEVELS
        began = time.perf_counter()
        self.compared(self.stays({0: self.groups[0].size // 2}))
        each = time.perf_counter() - began
        return int(np.clip(self.seconds / (each * len(self.groups)), _FEWEST, _LEVELS))

    @cached_property
    def _singles(self) -> list[tuple[int, int]]:
        return [(at, width) for at, found in enumerate(self._levels) for width in found]

    @cached_property
    def _table(self) -> WidthTable:
        """Each group alone in each width, measured once for all budgets."""
        cuts = [self.stays({at: width}) for at, width in self._singles]
        timed = [] if self.times is None else self._timed
        found, steps = self.before or Singles(levels=self._levels), len(cuts) + len(timed)
        steps += len(_POWERS)
        for done in range(len(found.divergences), len(cuts)):
            self._tell(done, steps)
            more = (*found.divergences, self.apart.of(self.compared(cuts[done])))
            found = found.model_copy(update={"divergences": more})
            self.keep(found)
        if self.times is None:
            return self._table_of(found.divergences, None)
        if not found.shares:
            shares = self.times(self._cut_one_by_one([cuts[at] for at in timed], steps))
            found = found.model_copy(update={"shares": tuple(shares)})
            self.keep(found)
        costs = np.full(len(cuts), math.nan)
        costs[timed] = found.shares
        return self._table_of(found.divergences, costs)

    def _table_of(self, divergences: Sequence[float], costs: Array | None) -> WidthTable:
        """Between the widths that were measured, and timed, all others.

        Args:
            divergences: of each group alone in each measured width.
            costs: shares of the time of these; NaN of those that were not timed.
        """
        widths, losses, saved, start = [], [], [], 0
        for group, known in zip(self.groups, self._levels, strict=True):
            rows = slice(start, start + len(known))
            step = _step(group.size, group.step(self.multiple))
            own, start = [*range(step, group.size, step), group.size], rows.stop
            # Divergences span orders of magnitude. The narrower, the worse: noise of single
            # measurements is not followed.
            logs = np.log([*np.maximum(divergences[rows], _TINY), _TINY])
            logs = np.maximum.accumulate(logs[::-1])[::-1]
            losses.append(np.exp(np.interp(own, [*known, group.size], logs)))
            losses[-1][-1] = 0.0
            widths.append(own)
            if costs is not None:
                shares = np.append(costs[rows], 1.0)
                timed = ~np.isnan(shares)
                at = np.array([*known, group.size])[timed]
                saved.append(1 - np.interp(own, at, shares[timed]))
        counted = self.costs.of_many(
            [[self.stays({at: width}) for width in own] for at, own in enumerate(widths)]
        )
        return WidthTable(widths, losses, None if costs is None else saved, counted)

    def _cut_one_by_one(self, cuts: Sequence[Array], steps: int) -> Iterator[Any]:
        """Models to be timed, which comes after what was measured of all."""
        for done, stays in enumerate(cuts, len(self._singles)):
            self._tell(done, steps)
            yield self.cut(stays)

    @cached_property
    def _timed(self) -> list[int]:
        """Which of the single widths are timed: a time is nearly linear in the width."""
        wanted = [
            at in (0, len(found) // 2) or len(found) < _LEVELS // 2
            for found in self._levels
            for at in range(len(found))
        ]
        return [at for at, one in enumerate(wanted) if one]

    def _timed_together(self, trials: list[Trial]) -> list[Trial]:
        """The same, with times that were taken in turns, where the budget is time."""
        if self.times is None:
            return trials
        costs = self.times([trial.model for trial in trials])
        return [replace(trial, cost=cost) for trial, cost in zip(trials, costs, strict=True)]

    def _measured(self, many: Sequence[Widths]) -> list[Trial]:
        """Models of some widths; what takes time is timed together."""
        found = []
        for widths in many:
            stays = self.stays(dict(enumerate(widths)))
            model, answers = self.tried(stays)
            cost = math.nan if self.times is not None else self.costs.of(stays)
            found.append(Trial(widths, cost, self.apart.of(answers), model))
        return self._timed_together(found)

    def _tell(self, done: int, steps: int) -> None:
        if self.told is not None:
            self.told(done, steps)


def _best(trials: Sequence[Trial], keep: float) -> Trial:
    """The one that loses least at a cost of at most `keep`, or else the cheapest."""
    fitting = [trial for trial in trials if trial.cost <= keep * (1 + _SLACK)]
    if fitting:
        return min(fitting, key=lambda trial: trial.divergence)
    return min(trials, key=lambda trial: trial.cost)


def _levels(size: int, multiple: int, most: int) -> list[int]:
    """The widths at which a group is measured, at most so many, the narrowest first."""
    step = _step(size, multiple)
    found = list(range(step, size, step))
    if len(found) > most:
        picked = np.linspace(0, len(found) - 1, most).round().astype(int)
        found = [found[at] for at in np.unique(picked)]
    return found


def _step(size: int, multiple: int) -> int:
    return multiple if size > multiple else max(1, size // 4)
