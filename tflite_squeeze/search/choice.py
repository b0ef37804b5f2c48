"""Which candidate comes next: a few that are known to be worth it, then what Optuna proposes.

Candidates of a first, short training show which ones to train to the end: of those that lose
little more than they may, the cheapest, as in successive halving.

Reference: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization" (the tree-structured
Parzen estimator); Jamieson & Talwalkar 2016, arXiv:1502.07943 (successive halving).
"""

import math
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.candidate import Candidate
from tflite_squeeze.search.record import Trial

# Ways of the first candidates, from the gentlest to the hardest; the search begins at the third.
_NARROW_WAY = (0.85, 0.7, 0.6, 0.5, 0.42, 0.35, 0.28, 0.22, 0.16)
_FACTOR_WAY = (
    (1.0, 0.85), (1.0, 0.7), (1.0, 0.6), (1.0, 0.5), (1.0, 0.4), (1.0, 0.3), (0.7, 0.4),
    (0.5, 0.4), (0.35, 0.3),
)  # fmt: skip
_SMALL_WAY = (
    (1.0, 0.8, 32), (1.0, 0.9, 16), (1.0, 0.94, 16), (1.0, 0.96, 16), (0.8, 0.96, 16),
    (0.7, 0.975, 16), (0.5, 0.975, 8), (0.35, 0.975, 8),
)  # fmt: skip
_FIRST = 4  # candidates along the way before Optuna proposes
_STRIDE = 3  # along the way, while none has lost too much
_LOST = 10.0  # objective of what could not be made, in nepers above the first file
_VALUES = (0, 8, 16, 32)
_CONSTRAINT = "over the limit"


class Choice:
    """Proposes candidates, and learns from what became of them.

    Args:
        asked: what is searched for.
        techniques: those that this model and data allow.
        base: what all candidates have in common.
        storage: where Optuna keeps its study: a file for its journal, a URL, or None for memory.
    """

    def __init__(
        self,
        asked: Tune,
        techniques: frozenset[str],
        base: Candidate,
        storage: Path | str | None,
    ) -> None:
        self._asked, self._techniques, self._base = asked, techniques, base
        self._way = self._first_way()
        self._low, self._high = -1, len(self._way)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(
            seed=asked.seed,
            n_startup_trials=_FIRST,
            multivariate=True,
        )
        self._study = optuna.create_study(
            study_name="tune",
            storage=_storage(storage),
            sampler=sampler,
            directions=["minimize"] * len(asked.minimize),
            load_if_exists=True,
        )

    @property
    def space(self) -> dict[str, BaseDistribution]:
        """What is varied."""
        found: dict[str, BaseDistribution] = {}
        small = "download" in self._asked.minimize
        if "narrow" in self._techniques:
            found["keep"] = FloatDistribution(0.12, 1.0)
        if "factorize" in self._techniques:
            found["factor"] = FloatDistribution(0.12, 1.0)
        if "prune" in self._techniques and small:
            # What is left counts by its logarithm: 98 % and 99 % of zeros differ by half.
            found["left"] = FloatDistribution(0.01, 0.6, log=True)
        if "cluster" in self._techniques and small:
            found["clusters"] = CategoricalDistribution(_VALUES)
        return found

    def _first_way(self) -> list[dict[str, Any]]:
        space = self.space
        if "left" in space:
            ways = [
                {"keep": keep, "factor": 1.0, "left": 1 - zeros, "clusters": values}
                for keep, zeros, values in _SMALL_WAY
            ]
        elif "factor" in space:  # it loses less than narrowing, or there is nothing else
            ways = [{"keep": keep, "factor": factor} for keep, factor in _FACTOR_WAY]
        else:
            ways = [{"keep": keep} for keep in _NARROW_WAY]
        kept = [{name: way[name] for name in space if name in way} for way in ways]
        return [way for at, way in enumerate(kept) if way and way not in kept[:at]]

    def proposed(self, tried: int) -> tuple[Candidate, optuna.Trial] | None:
        """The next candidate and Optuna's trial of it; None where nothing can be varied.

        Args:
            tried: how many there were before.
        """
        if not self.space:
            return None
        step = self._next_step()
        if tried < _FIRST and self._low < step < self._high:
            self._study.enqueue_trial(self._way[step])
        trial = self._study.ask(self.space)
        return self._candidate(trial.params), trial

    def _next_step(self) -> int:
        """Between the hardest that did and the gentlest that did not, not far beyond the former."""
        middle = (self._low + self._high) // 2
        return middle if self._high < len(self._way) else min(middle, self._low + _STRIDE)

    def _candidate(self, given: dict[str, Any]) -> Candidate:
        numbers = {
            "keep": round(given.get("keep", 1.0), 3),
            "factor": round(given.get("factor", 1.0), 3),
            "sparsity": round(1 - given["left"], 4) if "left" in given else 0.0,
            "clusters": given.get("clusters", 0),
        }
        return self._base.model_copy(update=numbers)

    def learn(
        self, asked: optuna.Trial, trial: Trial, first: Trial, over: float, excess: float = 0.0
    ) -> None:
        """Tells what became of a proposed candidate.

        Args:
            asked: Optuna's trial.
            trial: what was found.
            first: the best without training.
            over: how much more than its limit it lost, as a fraction; positive if it lost more.
            excess: by what share it exceeds the limits of what it costs.
        """
        values = [
            math.log(max(trial.costs[name], 1e-9) / first.costs[name])
            if name in trial.costs
            else _LOST
            for name in self._asked.minimize
        ]
        asked.set_constraint(_CONSTRAINT, max(over, excess) if excess else over)
        self._study.tell(asked, values)
        self.place(trial, over)

    def place(self, trial: Trial, over: float) -> None:
        """Notes how far on the way of the first candidates one of them was, and on which side.

        Args:
            trial: of any candidate.
            over: as in `learn`.
        """
        at = next((at for at, way in enumerate(self._way) if self._is(trial.candidate, way)), None)
        if at is not None:
            if over <= 0:
                self._low = max(self._low, at)
            else:
                self._high = min(self._high, at)

    def _is(self, candidate: Candidate, way: dict[str, Any]) -> bool:
        return self._candidate(way) == candidate.model_copy(update={"steps": 0})

    def forget_unfinished(self) -> None:
        """Ends the trials that a killed process left, so that they count for nothing."""
        for one in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.tell(one.number, state=TrialState.FAIL)


def _storage(where: Path | str | None) -> Any:
    if isinstance(where, Path):
        return JournalStorage(JournalFileBackend(str(where)))
    return where
