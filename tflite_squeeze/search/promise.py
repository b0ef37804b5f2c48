"""What the trials so far say: which is the best, and which are worth a whole training."""

import statistics
from collections.abc import Sequence

from tflite_squeeze.errors import CheckFailed
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.candidate import Candidate
from tflite_squeeze.search.limits import excess_of, limit_of
from tflite_squeeze.search.record import Trial, is_worth, worth_keeping

# What is left of the loss of a short training after a whole one, until that has been seen: zeros
# need long to be made up for.
_USUALLY_LEFT, _LEFT_OF_ZEROS = 0.5, 0.3


def within(trial: Trial, asked: Tune) -> bool:
    """Whether a trial's file loses no more than it may."""
    return trial.loss is not None and trial.loss.drop <= limit_of(trial.loss, asked)


def best_of(trials: Sequence[Trial], asked: Tune) -> Trial:
    """The cheapest that passes; else the nearest: within the loss, then within the costs.

    What needed training is no better where it costs hardly less than what needed none.

    Args:
        trials: those that are finished.
        asked: what is searched for.

    Raises:
        CheckFailed: no file could be made in any of them.
    """
    better = worth_keeping(trials, asked)
    if better:
        return min(better, key=lambda one: asked.price(one.costs))
    made = [one for one in trials if one.loss is not None]
    if not made:
        reasons = "; ".join(dict.fromkeys(line for one in trials for line in one.failures))
        raise CheckFailed(f"no file could be made of the model at all: {reasons}")

    def distance(one: Trial) -> tuple[bool, float, float]:
        assert one.loss is not None  # they are made
        excess = excess_of(one.costs, asked)
        over = one.loss.drop - limit_of(one.loss, asked)
        return over > 0, excess, over

    return min(made, key=distance)


def over_limit(trial: Trial, trained: Sequence[Trial], asked: Tune) -> float:
    """How much more than its limit a trial is expected to lose after a whole training.

    Args:
        trial: of a first look, or of a whole training.
        trained: all that were trained, which show what whole trainings win.
        asked: what is searched for.

    Returns:
        A fraction, positive where it loses too much.
    """
    if trial.loss is None:
        return 1.0
    left = 1.0 if trial.stage == "whole" else _left_of_loss(trial.candidate, trained)
    expected = max(0.0, trial.loss.drop) * left
    return expected - limit_of(trial.loss, asked)


def _left_of_loss(candidate: Candidate, trained: Sequence[Trial]) -> float:
    """What share of the loss of a short training a whole one is expected to have."""
    shares = [
        after.loss.drop / before.loss.drop
        for after in trained if after.stage == "whole" and after.loss is not None
        for before in trained
        if before.stage == "short" and before.loss is not None
        and alike(before.candidate, after.candidate) and before.loss.drop > 0
        and _made_zero(before.candidate) == _made_zero(candidate)
    ]  # fmt: skip
    usual = _LEFT_OF_ZEROS if _made_zero(candidate) else _USUALLY_LEFT
    return min(1.0, max(0.0, statistics.median(shares or [usual])))


def _made_zero(candidate: Candidate) -> bool:
    return candidate.prices or candidate.prunes


def promising(
    trials: Sequence[Trial], asked: Tune, underway: Sequence[Candidate] = ()
) -> Candidate | None:
    """The cheapest that a whole training may bring under the limits, and had none yet.

    Args:
        trials: all that are finished.
        asked: what is searched for.
        underway: whole trainings that are not finished.
    """
    passing = [one.costs for one in trials if one.passed]
    trained = [one for one in trials if one.stage != "free"]
    whole = [*underway, *(one.candidate for one in trained if one.stage == "whole")]
    found = [
        one
        for one in trained
        if one.stage == "short"
        and one.costs
        and all(is_worth(one.costs, other, asked) for other in passing)
        and not excess_of(one.costs, asked)
        and over_limit(one, trained, asked) <= 0
        and not any(alike(one.candidate, other) for other in whole)
    ]
    if not found:
        return None
    return min(found, key=lambda one: asked.price(one.costs)).candidate


def prediction_error(trials: Sequence[Trial]) -> float | None:
    """The median of the shares by which predicted costs missed the measured ones.

    Args:
        trials: those that are finished; what has no prediction counts for nothing.
    """
    found = [one.off for one in trials if one.off is not None and one.stage == "short"]
    return statistics.median(found) if found else None


def alike(one: Candidate, other: Candidate) -> bool:
    """Whether two candidates differ in how long they are trained alone."""
    return one.model_copy(update={"steps": 0}) == other.model_copy(update={"steps": 0})
