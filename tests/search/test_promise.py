"""Which trial is the best so far."""

from typing import Any

import pytest

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.candidate import Candidate
from tflite_squeeze.search.promise import best_of
from tflite_squeeze.search.record import Loss, Trial


def _trial(number: int, stage: Any, latency: float) -> Trial:
    return Trial(
        number=number,
        stage=stage,
        candidate=Candidate(quantize=Quantization.INT8),
        costs={"latency": latency},
        loss=Loss(measure="accuracy", drop=0.0, examples=100),
    )


@pytest.mark.parametrize(("trained", "best"), [(9.9, 1), (9.7, 2)])
def test_a_training_has_to_gain_more_than_noise(trained: float, best: int) -> None:
    trials = [_trial(0, "free", 30.0), _trial(1, "free", 10.0), _trial(2, "short", trained)]
    assert best_of(trials, Tune()).number == best
