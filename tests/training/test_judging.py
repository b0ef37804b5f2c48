"""What a technique cost, counted by hand."""

from typing import Any

import numpy as np
import pytest

from tflite_squeeze.data.data import load_data
from tflite_squeeze.network.flavors import input_specs
from tflite_squeeze.training.judging import Judge, wilson
from tflite_squeeze.training.record import StepRecord
from tflite_squeeze.training.tables import quality_note

X = np.array([[9, 0, 0], [0, 9, 0], [0, 0, 9], [9, 0, 0]], np.float32)
Y = np.array([0, 1, 2, 1])


def echo(library: Any, activation: str = "softmax", factor: float = 1.0) -> Any:
    """A model whose scores are its inputs; with -1, it turns them round."""
    layer = library.layers.Dense(3, activation=activation, use_bias=False)
    model = library.Sequential([library.Input((3,), name="x"), layer])
    layer.set_weights([factor * np.eye(3, dtype=np.float32)])
    return model


@pytest.mark.parametrize(
    ("share", "count", "low", "high"),
    [(0.5, 10, 0.2366, 0.7634), (1.0, 10, 0.7225, 1.0), (0.0, 10, 0.0, 0.2775)],
)
def test_the_interval_of_a_share(share: float, count: int, low: float, high: float) -> None:
    assert wilson(share, count) == pytest.approx((low, high), abs=1e-4)


def test_quality_agreement_and_divergence(library: Any) -> None:
    model = echo(library)
    judge = Judge(model, load_data((X, Y)).fitted_to(input_specs(model)))
    assert judge.metric == "accuracy"
    assert judge.before.quality == 0.75
    same = judge.verdict(model)
    assert (same.agreement, same.divergence, same.examples) == (1.0, 0.0, 4)
    assert same.interval == wilson(0.75, 4)
    other = judge.verdict(echo(library, factor=-1.0))
    assert (other.agreement, other.quality) == (0.0, 0.25)
    assert other.divergence > 5


def test_without_labels_the_answers_alone_are_compared(library: Any) -> None:
    model = echo(library)
    verdict = Judge(model, load_data(X).fitted_to(input_specs(model))).verdict(model)
    assert verdict.quality is None
    assert verdict.interval == wilson(1.0, 4)


def test_numbers_have_an_error_relative_to_their_variance(library: Any) -> None:
    model = echo(library, "linear")
    model.compile(loss="mse")
    judge = Judge(model, load_data((X, X)).fitted_to(input_specs(model)))
    verdict = judge.verdict(echo(library, "linear", 0.5))
    assert (judge.metric, judge.before.quality, verdict.agreement, verdict.interval) == (
        "loss", 0.0, None, None,
    )  # fmt: skip
    assert verdict.quality == pytest.approx(np.mean((X / 2) ** 2))
    assert verdict.divergence == pytest.approx(np.mean((X / 2) ** 2) / np.var(X))


def record(**values: Any) -> StepRecord:
    whole = {"model": "net", "finetune": None, "skipped": (), "metric": "accuracy", "before": None,
             "after": None, "history": {}, "seconds": 1.0, **values}  # fmt: skip
    return StepRecord(**whole)


def test_all_of_it_is_told_in_one_place() -> None:
    said = record(
        before=0.9, after=0.8, agreement=0.85, divergence=0.125, examples=50, interval=(0.67, 0.89)
    )
    assert quality_note(said, "pruning") == (
        "accuracy 90.00% → 80.00% (-10.00 points), on 50 examples within 67.0% to 89.0% (95 %); "
        "the same class as before for 85.00%; divergence from the answers before 0.125"
    )
    many = said.model_copy(update={"examples": 10_000})
    assert "within" not in quality_note(many, "pruning")
    bare = record(metric="loss", divergence=0.5, examples=100)
    assert quality_note(bare, "pruning") == (
        "no labelled data; divergence from the answers before 0.5"
    )


def test_answers_that_are_no_numbers_are_rejected() -> None:
    assert record(metric="loss", divergence=0.5).lost_more_than(0.05) is None
    lost = record(metric="loss", before=0.1, after=float("nan"), divergence=float("inf"))
    assert "no number" in str(lost.lost_more_than(0.05))
