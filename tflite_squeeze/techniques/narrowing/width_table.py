"""Predicted divergences and costs of all widths, and the widths that lose least under a budget."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Widths = tuple[int, ...]

_TINY = 1e-9


class WidthTable:
    """Each group's divergence and cost by its width alone, and what follows for all together.

    Args:
        widths: those that each group may have, ascending, the last one whole.
        losses: the divergence at each of them.
        saved: the share of the time that each saves; None where costs are counted.
        counted: the counted costs of choices of places in `widths`, (n, groups) → (n,).
    """

    def __init__(
        self,
        widths: Sequence[Sequence[int]],
        losses: Sequence[Array],
        saved: Sequence[Array] | None,
        counted: Callable[[Array], Array],
    ) -> None:
        self._widths, self._losses, self._counted = widths, losses, counted
        self._whole = np.array([len(own) - 1 for own in widths])
        self._gained = None if saved is None else self._per_count(saved)

    def solved(self, keep: float, power: float) -> Widths:
        """The widths with the least sum of divergences to a power at a cost of at most `keep`.

        Descends greedily, each time by the step that loses least for what it saves, then trades
        steps of two groups for each other while that gains.
        """
        at = self._whole
        (loss,), (cost,) = self._sums(at[None], power), self._costs(at[None])
        while cost > keep:
            moves = self._narrower(at)
            losses, costs = self._sums(moves, power), self._costs(moves)
            saving = costs < cost
            if not saving.any():
                break
            rates = np.full(len(moves), np.inf)
            np.divide(losses - loss, cost - costs, out=rates, where=saving)
            best = int(np.argmin(rates))
            at, loss, cost = moves[best], losses[best], costs[best]
        while True:
            trades = self._trades(at)
            losses = self._sums(trades, power)
            gaining = losses < loss - _TINY
            trades, losses = trades[gaining], losses[gaining]
            fitting = self._costs(trades) <= keep
            if not fitting.any():
                return self._widths_at(at)
            best = int(np.argmin(np.where(fitting, losses, np.inf)))
            at, loss = trades[best], losses[best]

    def cost_of(self, widths: Widths) -> float:
        """The predicted cost of widths."""
        return float(self._costs(self._places(widths)[None])[0])

    @property
    def least_cost(self) -> float:
        """The predicted cost of the narrowest widths."""
        return float(self._costs(np.zeros((1, len(self._widths)), int))[0])

    def near(self, widths: Widths, keep: float, power: float) -> list[Widths]:
        """What a trade between two groups leads to, at a cost of at most `keep`: the best first."""
        trades = self._trades(self._places(widths))
        trades = trades[self._costs(trades) <= keep]
        order = np.argsort(self._sums(trades, power), kind="stable")
        return [self._widths_at(trades[one]) for one in order]

    def _places(self, widths: Widths) -> Array:
        return np.array([own.index(width) for own, width in zip(self._widths, widths, strict=True)])

    def _widths_at(self, places: Array) -> Widths:
        return tuple(own[at] for own, at in zip(self._widths, places, strict=True))

    def _narrower(self, at: Array) -> Array:
        """One group narrower, by one step or by several: (n, groups)."""
        moves = np.repeat(at[None], at.sum(), axis=0)
        groups = np.repeat(np.arange(len(at)), at)
        moves[np.arange(len(moves)), groups] = np.concatenate([np.arange(one) for one in at])
        return moves

    def _trades(self, at: Array) -> Array:
        """One group a step wider, perhaps at the price of another; all others than `at` itself."""
        found = []
        for group in np.flatnonzero(at < self._whole):
            wider = at.copy()
            wider[group] += 1
            found += [wider[None], self._narrower(wider)]
        trades = np.concatenate(found) if found else at[None]
        return np.asarray(trades[(trades != at).any(axis=1)])

    def _sums(self, places: Array, power: float) -> Array:
        each = [own[at] ** power for own, at in zip(self._losses, places.T, strict=True)]
        return np.asarray(np.sum(each, axis=0))

    def _per_count(self, saved: Sequence[Array]) -> list[Array]:
        """What each group saves of the time alone, over what it saves of the counted costs."""
        found = []
        for group, own in enumerate(saved):
            alone = np.repeat(self._whole[None], len(own), axis=0)
            alone[:, group] = np.arange(len(own))
            share = 1 - self._counted(alone)
            found.append(np.divide(own, share, out=np.zeros(len(own)), where=share > _TINY))
        return found

    def _costs(self, places: Array) -> Array:
        """Counted costs as they are; times by what each group saved of its share of the MACs."""
        if self._gained is None:
            return self._counted(places)
        left, total = np.ones(len(places)), np.zeros(len(places))
        so_far = np.repeat(self._whole[None], len(places), axis=0)
        for group, gained in enumerate(self._gained):
            so_far[:, group] = places[:, group]
            now = self._counted(so_far)
            total += gained[places[:, group]] * (left - now)
            left = now
        return 1 - total
