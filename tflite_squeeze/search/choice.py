"""Which candidate comes next: a few that are known to be worth it, then what Optuna proposes.

Candidates of a first, short training show which ones to train to the end: of those that lose
little more than they may, the cheapest, as in successive halving. A price of bytes goes on working
for as long as a training does, so that a short one tells of neither its bytes nor its loss: after a
first look, which shows how long steps take, all of these are trained to the end.

Reference: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization" (the tree-structured
Parzen estimator); Jamieson & Talwalkar 2016, arXiv:1502.07943 (successive halving).
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.candidate import Candidate, stores_sparse, zeros_pay
from tflite_squeeze.search.limits import excess_of
from tflite_squeeze.search.promise import over_limit, promising
from tflite_squeeze.search.record import Stage, Trial
from tflite_squeeze.search.study import Study

# Ways of the first candidates, from the gentlest to the hardest; the search begins at the third.
_NARROW_WAY = (0.85, 0.7, 0.6, 0.5, 0.42, 0.35, 0.28, 0.22, 0.16)
_FACTOR_WAY = (
    (1.0, 0.85), (1.0, 0.7), (1.0, 0.6), (1.0, 0.5), (1.0, 0.4), (1.0, 0.3), (0.7, 0.4),
    (0.5, 0.4), (0.35, 0.3),
)  # fmt: skip
_PRICED_WAY = (
    (1.0, 0.05), (1.0, 0.1), (1.0, 0.2), (1.0, 0.4), (0.8, 0.4), (0.7, 0.8), (0.5, 1.0),
    (0.35, 1.0),
)  # fmt: skip
_SMALL_WAY = (
    (1.0, 0.8, 32), (1.0, 0.9, 16), (1.0, 0.94, 16), (1.0, 0.96, 16), (0.8, 0.96, 16),
    (0.7, 0.975, 16), (0.5, 0.975, 8), (0.35, 0.975, 8),
)  # fmt: skip
_UNTRAINED_WAY = ((0.3, 0), (0.4, 32), (0.5, 32), (0.6, 16), (0.7, 16), (0.8, 16))
_FIRST = 4  # candidates along the way before Optuna proposes
_STRIDE = 3  # along the way, while none has lost too much
_LOST = 10.0  # objective of what could not be made, in nepers above the first file
_LEFT_TRAINED, _LEFT_AT_ONCE = (0.01, 0.6), (0.1, 0.7)  # shares of weights
_UNSHARED = 0  # values: any number
_VALUES = (_UNSHARED, 8, 16, 32)
_CONSTRAINT = "over the limit"


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """A candidate to be made.

    Attributes:
        candidate: its numbers.
        stage: how far it is trained.
        asking: Optuna's trial of it.
    """

    candidate: Candidate
    stage: Stage
    asking: optuna.Trial


class Choice:
    """Proposes candidates, and learns from what became of them.

    Args:
        asked: what is searched for.
        techniques: those that this model and data allow.
        base: what all candidates have in common.
        study: of the search.
        trains: whether candidates are trained.

    Attributes:
        study: Optuna's.
    """

    def __init__(
        self,
        asked: Tune,
        techniques: frozenset[str],
        base: Candidate,
        study: Study,
        *,
        trains: bool = True,
    ) -> None:
        self._asked, self._techniques, self._base = asked, techniques, base
        self._trains = trains
        self._way = self._first_way()
        self._shared, self.study = study, study.study
        # Workers that know the same would propose the same.
        seed = asked.seed if study.alone else asked.seed + zlib.crc32(study.worker.encode())
        self.study.sampler = optuna.samplers.TPESampler(
            seed=seed % 2**32, n_startup_trials=_FIRST, multivariate=True
        )

    @property
    def space(self) -> dict[str, BaseDistribution]:
        """What is varied."""
        found: dict[str, BaseDistribution] = {}
        small = zeros_pay(self._asked)
        # One training finds zeros, values and steps at once, and smaller ones than one by one.
        priced = small and "entropy" in self._techniques
        if "narrow" in self._techniques:
            found["keep"] = FloatDistribution(0.12, 1.0)
        if "factorize" in self._techniques:
            found["factor"] = FloatDistribution(0.12, 1.0)
        if priced:
            found["penalty"] = FloatDistribution(0.01, 2.0, log=True)
        elif "prune" in self._techniques and small:
            # What is left counts by its logarithm: 98 % and 99 % of zeros differ by half.
            most = _LEFT_TRAINED if self._trains else _LEFT_AT_ONCE
            found["left"] = FloatDistribution(*most, log=True)
        compressed = "download" in self._asked.minimize or self._asked.on_npu
        if "cluster" in self._techniques and compressed and not priced:
            found["clusters"] = CategoricalDistribution(_VALUES)
        return found

    def _first_way(self) -> list[dict[str, Any]]:
        space = self.space
        if "penalty" in space:
            ways = [{"keep": keep, "factor": 1.0, "penalty": price} for keep, price in _PRICED_WAY]
        elif "left" in space:
            way = _SMALL_WAY if self._trains else [(1.0, *one) for one in _UNTRAINED_WAY]
            ways = [
                {"keep": keep, "factor": 1.0, "left": 1 - zeros, "clusters": values}
                for keep, zeros, values in way
            ]
        elif "clusters" in space:
            ways = [{"clusters": values} for values in reversed(_VALUES) if values]
        elif "factor" in space:  # it loses less than narrowing, or there is nothing else
            ways = [{"keep": keep, "factor": factor} for keep, factor in _FACTOR_WAY]
        else:
            ways = [{"keep": keep} for keep in _NARROW_WAY]
        kept = [
            {name: way.get(name, _UNSHARED) for name in space}
            for way in ways if not space.keys().isdisjoint(way)
        ]  # fmt: skip
        return [way for at, way in enumerate(kept) if way not in kept[:at]]

    def proposed(self, trials: Sequence[Trial]) -> Proposed | None:
        """The next candidate; None where nothing can be varied.

        What is known to be worth a training is put into the queue of the study, from which every
        worker takes before anything else is proposed.

        Args:
            trials: all that are finished.
        """
        if not self.space:
            return None
        look: Stage = self._telling if _trained(trials) or not self._trains else "short"
        short = len(self._looks("short"))  # those known before too
        underway = self._looks("whole")
        hopeful = promising(
            trials, self._asked, [self._candidate(_params(one)) for one in underway]
        )
        if hopeful is not None and short >= _FIRST:
            self.study.enqueue_trial(self._params_of(hopeful), user_attrs={"stage": "whole"})
        elif (at := self._next_on_way(trials)) is not None:
            self.study.enqueue_trial(self._way[at], user_attrs={"stage": look})
        trial = self.study.ask(self.space)
        stage: Stage = trial.user_attrs.get("stage", look)
        return Proposed(candidate=self._candidate(trial.params), stage=stage, asking=trial)

    @property
    def _telling(self) -> Stage:
        """How far a candidate is trained until it tells what others of the way will lose."""
        return "whole" if "penalty" in self.space or not self._trains else "short"

    def _looks(self, stage: Stage) -> list[FrozenTrial]:
        return [one for one in self._begun() if _stage(one) == stage]

    def _begun(self) -> list[FrozenTrial]:
        """Candidates that are in the queue, being made or finished."""
        states = (TrialState.WAITING, TrialState.RUNNING, TrialState.COMPLETE)
        return self.study.get_trials(deepcopy=False, states=states)

    def _params_of(self, candidate: Candidate) -> dict[str, Any]:
        """What Optuna calls the numbers of a candidate of a first look."""
        wanted = candidate.model_copy(update={"steps": 0})
        return next(
            _params(one) for one in self._begun() if self._candidate(_params(one)) == wanted
        )

    def _next_on_way(self, trials: Sequence[Trial]) -> int | None:
        """The middle of the longest part of the way that is not known yet; None without one.

        Gentler candidates than one that is within the limit need no trial, nor do harder ones than
        one that is not. Others that work on the way at the same time divide it. While none has lost
        too much, steps are not long.
        """
        looks = self._looks(self._telling)
        workers = 1 if self._shared.alone else 1 + len(self._shared.others())
        low, high = self._ends_of_way(trials)
        # What looked within the limit may turn out not to be: then gentler ones are left to try.
        if len(looks) >= max(_FIRST, workers) and low >= 0:
            return None
        begun = [_params(one) for one in looks]
        between = [at for at in range(low + 1, high) if self._way[at] in begun]
        marks = [low, *between, high]
        before, after = max(pairwise(marks), key=lambda one: one[1] - one[0])
        middle = (before + after) // 2
        if after == len(self._way):
            middle = min(middle, before + _STRIDE)
        return middle if before < middle < after else None

    def _ends_of_way(self, trials: Sequence[Trial]) -> tuple[int, int]:
        """The hardest candidate of the way that is within the limit, the gentlest that is not."""
        low, high = -1, len(self._way)
        for trial in trials:
            if trial.stage != self._telling:
                continue
            wanted = trial.candidate.model_copy(update={"steps": 0})
            for at, way in enumerate(self._way):
                if self._candidate(way) == wanted:
                    if over_limit(trial, _trained(trials), self._asked) <= 0:
                        low = max(low, at)
                    else:
                        high = min(high, at)
        return low, high

    def _candidate(self, given: dict[str, Any]) -> Candidate:
        numbers = {
            "keep": round(given.get("keep", 1.0), 3),
            "factor": round(given.get("factor", 1.0), 3),
            "penalty": float(f"{given.get('penalty', 0.0):.3g}"),
            "sparsity": round(1 - given["left"], 4) if "left" in given else 0.0,
            "clusters": given.get("clusters", 0),
        }
        if numbers["penalty"] or numbers["sparsity"]:
            numbers["sparse"] = stores_sparse(self._asked)
        return self._base.model_copy(update=numbers)

    def learned(
        self, asking: optuna.Trial, trial: Trial, first: Trial, trials: Sequence[Trial]
    ) -> list[float]:
        """What Optuna is told of a candidate that is finished.

        Args:
            asking: Optuna's trial.
            trial: what was found.
            first: the best without training.
            trials: all that are finished.

        Returns:
            What is minimized, as logarithms of shares of the first; how much more than its limits
            it loses and costs is set as a constraint.
        """
        over = over_limit(trial, _trained(trials), self._asked)
        excess = excess_of(trial.costs, self._asked)
        asking.set_constraint(_CONSTRAINT, max(over, excess) if excess else over)
        return [
            math.log(max(trial.costs[name], 1e-9) / first.costs[name])
            if name in trial.costs
            else _LOST
            for name in self._asked.minimize
        ]


def _trained(trials: Sequence[Trial]) -> list[Trial]:
    return [one for one in trials if one.stage != "free"]


def _stage(one: FrozenTrial) -> str:
    return str(one.user_attrs.get("stage", "short"))


def _params(one: FrozenTrial) -> dict[str, Any]:
    """The numbers of a trial, also where no worker has taken it from the queue yet."""
    found: dict[str, Any] = one.params or one.system_attrs.get("fixed_params", {})
    return found
