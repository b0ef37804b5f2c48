"""The first candidates close in on the limit from both sides; several workers divide the way."""

import optuna
import pytest

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.candidate import Candidate
from tflite_squeeze.search.choice import Choice
from tflite_squeeze.search.record import Loss, Trial
from tflite_squeeze.search.study import Study

BASE = Candidate(quantize=Quantization.INT8)
FIRST = Trial(number=0, stage="free", candidate=BASE, costs={"latency": 10.0})


def _choice(asked: Tune, *techniques: str) -> Choice:
    study = optuna.create_study(directions=["minimize"] * len(asked.minimize))
    return Choice(asked, frozenset(techniques), BASE, Study(study, None))


def _trial(candidate: Candidate, number: int, drop: float) -> Trial:
    loss = Loss(measure="accuracy", drop=drop, examples=100)
    return Trial(
        number=number,
        stage="short",
        candidate=candidate,
        loss=loss,
        costs={"latency": 10 * candidate.keep},
        failures=("too much is lost",) if drop > 0.01 else (),
    )


def _run(least: float) -> list[float]:
    """What is proposed where everything that keeps less than `least` loses too much."""
    asked = Tune()
    choice = _choice(asked, "narrow")
    trials: list[Trial] = []
    for number in range(4):
        proposed = choice.proposed(trials)
        assert proposed is not None
        # A whole training is expected to leave half of what a first look loses.
        drop = 2 * max(0.0, least - proposed.candidate.keep + asked.max_drop)
        trial = _trial(proposed.candidate, number, drop)
        values = choice.learned(proposed.asking, trial, FIRST, [*trials, trial])
        choice.study.tell(proposed.asking, values)
        trials.append(trial)
    return [one.candidate.keep for one in trials]


@pytest.mark.parametrize("least", [0.3, 0.65])
def test_it_closes_in_on_the_limit(least: float) -> None:
    kept = _run(least)
    assert kept[0] == 0.6
    assert (kept[1] < kept[0]) == (least < 0.6)
    first = [one for one in kept if one >= least]
    assert first
    assert min(first) - least < 0.15


def test_workers_that_begin_together_divide_the_way() -> None:
    choice = _choice(Tune(), "narrow")
    begun = [choice.proposed([]) for _ in range(4)]
    assert [one.candidate.keep for one in begun if one] == [0.6, 0.35, 0.22, 0.85]


@pytest.mark.parametrize("made", [4, 1])
def test_what_a_whole_training_may_bring_under_the_limit_gets_one(made: int) -> None:
    """Candidates that lead to the widths of one that is known count among the first looks."""
    asked = Tune()
    choice = _choice(asked, "narrow")
    trials: list[Trial] = []
    for number in range(4):
        proposed = choice.proposed(trials)
        assert proposed is not None
        assert proposed.stage == "short"
        trial = _trial(proposed.candidate, number, 0.015)
        choice.study.tell(proposed.asking, choice.learned(proposed.asking, trial, FIRST, trials))
        trials += [trial] * (number < made)
    cheapest = min(one.candidate.keep for one in trials)
    whole, next_one = choice.proposed(trials), choice.proposed(trials)
    assert whole is not None
    assert next_one is not None
    assert (whole.stage, whole.candidate.keep) == ("whole", cheapest)
    assert next_one.candidate.keep != cheapest  # while that is underway


def test_nothing_to_vary_proposes_nothing() -> None:
    assert _choice(Tune()).proposed([]) is None


def test_small_downloads_vary_zeros_and_values_too() -> None:
    every = ("narrow", "prune", "cluster")
    choice = _choice(Tune(minimize="download"), *every)
    assert set(choice.space) == {"keep", "left", "clusters"}
    proposed = choice.proposed([])
    assert proposed is not None
    assert proposed.candidate.sparsity >= 0.8
    assert set(_choice(Tune(minimize="raw"), *every).space) == {"keep", "left"}
    micro = Tune(minimize="raw", target="micro")  # has no operator that unpacks sparse weights
    assert set(_choice(micro, *every).space) == {"keep"}


def test_a_price_of_bytes_takes_the_place_of_zeros_and_values() -> None:
    every = ("narrow", "entropy", "prune", "cluster")
    choice = _choice(Tune(minimize="download"), *every)
    assert set(choice.space) == {"keep", "penalty"}
    proposed = choice.proposed([])
    assert proposed is not None
    assert (proposed.candidate.penalty, proposed.candidate.prunes) == (0.2, False)
    assert set(_choice(Tune(minimize="latency"), *every).space) == {"keep"}


def test_candidates_with_a_price_are_trained_to_the_end() -> None:
    """All but the first, whose loss says nothing: the more a price is, the more is lost."""
    asked = Tune(minimize="download")
    choice = _choice(asked, "narrow", "entropy")
    trials: list[Trial] = []
    for number in range(4):
        proposed = choice.proposed(trials)
        assert proposed is not None
        drop = 0.08 * proposed.candidate.penalty if trials else 0.0
        trial = _trial(proposed.candidate, number, drop).model_copy(
            update={"stage": proposed.stage, "costs": {"download": 1 / proposed.candidate.penalty}}
        )
        first = FIRST.model_copy(update={"costs": {"download": 40.0}})
        choice.study.tell(proposed.asking, choice.learned(proposed.asking, trial, first, trials))
        trials.append(trial)
    assert [one.stage for one in trials] == ["short", "whole", "whole", "whole"]
    assert [one.candidate.penalty for one in trials] == [0.2, 0.2, 0.05, 0.1]
