"""The first candidates close in on the limit from both sides."""

import pytest

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.candidate import Candidate
from tflite_squeeze.search.choice import Choice
from tflite_squeeze.search.record import Loss, Trial


def _run(least: float) -> list[float]:
    """What is proposed where everything that keeps less than `least` loses too much."""
    choice = Choice(Tune(), frozenset({"narrow"}), Candidate(quantize=Quantization.INT8), None)
    first = Trial(number=0, stage="free", candidate=Candidate(quantize=Quantization.INT8),
                  costs={"latency": 10.0})  # fmt: skip
    kept = []
    for number in range(8):
        proposed = choice.proposed(number)
        assert proposed is not None
        candidate, asking = proposed
        kept.append(candidate.keep)
        loss = Loss(measure="accuracy", drop=0.0, examples=100)
        trial = Trial(number=number, stage="short", candidate=candidate, loss=loss,
                      costs={"latency": 10 * candidate.keep})  # fmt: skip
        choice.learn(asking, trial, first, least - candidate.keep)
    return kept


@pytest.mark.parametrize("least", [0.3, 0.65])
def test_it_closes_in_on_the_limit(least: float) -> None:
    kept = _run(least)
    assert kept[0] == 0.6
    assert (kept[1] < kept[0]) == (least < 0.6)
    first = [one for one in kept[:4] if one >= least]
    assert first
    assert min(first) - least < 0.15


def test_nothing_to_vary_proposes_nothing() -> None:
    choice = Choice(Tune(), frozenset(), Candidate(quantize=Quantization.INT8), None)
    assert choice.proposed(0) is None


def test_small_downloads_vary_zeros_and_values_too() -> None:
    every = frozenset({"narrow", "prune", "cluster"})
    choice = Choice(Tune(minimize="download"), every, Candidate(quantize=Quantization.INT8), None)
    assert set(choice.space) == {"keep", "left", "clusters"}
    proposed = choice.proposed(0)
    assert proposed is not None
    assert proposed[0].sparsity >= 0.8
    raw = Choice(Tune(minimize="raw"), every, Candidate(quantize=Quantization.INT8), None)
    assert set(raw.space) == {"keep"}
