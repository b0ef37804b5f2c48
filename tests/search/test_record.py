"""The front of a search, and what is minimized as one number."""

import pytest
from pydantic import ValidationError

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.candidate import Candidate
from tflite_squeeze.search.promise import best_of
from tflite_squeeze.search.record import Loss, Trial, front_of

BOTH = Tune(minimize=("latency", "download"))


def _trial(
    number: int, latency: float, download: float, drop: float = 0.0, *failures: str
) -> Trial:
    return Trial(
        number=number,
        stage="short",
        candidate=Candidate(quantize=Quantization.INT8),
        costs={"latency": latency, "download": download},
        loss=Loss(measure="accuracy", drop=drop, examples=100),
        failures=failures,
    )


TRIALS = (
    _trial(0, 10.0, 100.0, 0.0),
    _trial(1, 5.0, 200.0, 0.003),
    _trial(2, 6.0, 250.0, 0.001),  # beaten in both costs, and not in its loss
    _trial(3, 1.0, 1.0, 0.5, "accuracy: 50.00% lost"),
    _trial(4, 20.0, 50.0, 0.002),
    Trial(number=5, stage="short", candidate=Candidate(quantize=Quantization.INT8)),
)


def test_of_two_costs_the_front_is_in_both() -> None:
    assert [one.number for one in front_of(TRIALS, BOTH)] == [1, 0, 4]


def test_what_needed_training_is_kept_where_it_costs_noticeably_less() -> None:
    """So that the best is always on the front."""
    free = _trial(6, 9.9, 99.0).model_copy(update={"stage": "free"})
    little = _trial(7, 9.8, 98.0)
    trials = (*TRIALS[:2], free, little)
    assert [one.number for one in front_of(trials, BOTH)] == [1, 6]
    assert best_of(trials[2:], BOTH) == free
    assert [one.number for one in front_of((little,), BOTH)] == [7]


def test_of_one_cost_the_front_is_in_cost_and_loss() -> None:
    assert [one.number for one in front_of(TRIALS, Tune())] == [1, 2, 0]
    assert [one.number for one in front_of(TRIALS, Tune(minimize="download"))] == [4, 0]


def test_two_costs_as_one_number() -> None:
    assert BOTH.price({"latency": 2.0, "download": 8.0}) == 4.0
    assert Tune().price({"latency": 2.0, "download": 8.0}) == 2.0
    assert min(TRIALS[:3], key=lambda one: BOTH.price(one.costs)).number == 0


def test_names_of_costs() -> None:
    assert Tune(minimize="raw").minimize == ("raw",)
    assert Tune.model_validate_json(BOTH.model_dump_json()) == BOTH
    for wrong in (("raw", "raw"), ("raw", "macs", "latency"), ()):
        with pytest.raises(ValidationError, match="name one cost, or two that differ"):
            Tune(minimize=wrong)
