"""Scores by hand, and those of a user's own."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests import tiny_models
from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.pruning import scores
from tflite_squeeze.techniques.pruning.callback import PruningCallback
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.pruning.scoring_data import ScoringData


def test_magnitude_and_taylor() -> None:
    weights = np.array([[-2.0, 1.0]])
    assert scores.magnitude(weights).tolist() == [[2, 1]]
    assert scores.taylor(weights, np.array([[0.5, -3.0]])).tolist() == [[1, 3]]


def test_wanda_ranks_within_an_output() -> None:
    weights = np.array([[3.0, -1.0], [0.3, -0.1], [3.0, -0.5]])
    found = scores.wanda(weights, np.array([1.0, 5.0]))
    # |w| norm = 3, 5; a row that is ten times smaller ranks alike; the last has 3, 2.5.
    np.testing.assert_allclose(found, [[0.25, 0.75], [0.25, 0.75], [0.75, 0.25]])


def test_random_scores_are_those_of_their_seed() -> None:
    weights = np.zeros((2, 3))
    first = scores.random_scores(weights, 1)
    np.testing.assert_array_equal(first, scores.random_scores(weights, 1))
    assert (first != scores.random_scores(weights, 2)).any()


OWN = "tests.techniques.pruning.test_scores:"


def largest_first(weights: Any) -> Any:
    """The other way round: what is largest goes first."""
    return np.abs(weights).max() - np.abs(weights)


def second_order(weights: Any, gradients: Any) -> Any:
    """Needs labels, since it takes gradients."""
    return np.square(weights * gradients)


@scores.within_outputs
def within_rows(weights: Any) -> Any:
    """Ranks within an output."""
    return np.abs(weights) / np.abs(weights).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("given", [largest_first, f"{OWN}largest_first"])
def test_a_score_of_ones_own_prunes(library: Any, given: Any) -> None:
    model = tiny_models.dense(library)
    pruned, record = prune(model, Prune(sparsity=0.5, score=given, budget="uniform"))
    whole, left = (np.abs(np.asarray(one.layers[-1].kernel)) for one in (model, pruned))
    gone = (left == 0) & (whole != 0)
    assert gone.sum() == left.size // 2
    assert whole[gone].min() >= whole[~gone].max()
    assert record.config.model_dump()["score"] == f"{OWN}largest_first"
    assert Prune.model_validate_json(record.config.model_dump_json()).scored_by is largest_first


def test_a_score_says_what_it_needs(library: Any) -> None:
    config = Prune(sparsity=0.5, score=second_order)
    assert config.scores_samples
    assert not Prune(sparsity=0.5, score=largest_first).scores_samples
    model = tiny_models.dense(library)
    with pytest.raises(UsageError, match="test_scores:second_order' needs samples: pass"):
        prune(model, config)
    inputs = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)
    with pytest.raises(UsageError, match="second_order' needs gradients of a loss: pass labelled"):
        prune(model, config, {"x_calibration": inputs})
    pruned, _ = prune(model, config, (inputs, np.arange(16) % 3), one_shot=True)
    taylor, _ = prune(
        model, Prune(sparsity=0.5, score="taylor"), (inputs, np.arange(16) % 3), one_shot=True
    )
    for one, other in zip(pruned.get_weights(), taylor.get_weights(), strict=True):
        np.testing.assert_array_equal(one == 0, other == 0)  # a square ranks as its root does


def test_a_layers_own_score_is_given_its_samples(library: Any) -> None:
    from tflite_squeeze.techniques.pruning.prunable import Prunable

    layers = library.layers
    own = Prunable(layers.Dense(4, name="own"), Prune(sparsity=0.5, score="wanda"))
    model = library.Sequential([library.Input((8,)), own, layers.Dense(3, name="scores")])
    inputs = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)
    _, record = prune(model, Prune(sparsity=0.25), {"x_calibration": inputs})
    assert [weight.zeros_after for weight in record.weights] == [3, 16]


def test_a_score_of_ones_own_in_the_callback(library: Any) -> None:
    model = tiny_models.dense(library)
    model.compile(loss="sparse_categorical_crossentropy", optimizer="sgd")
    x = np.random.default_rng(0).normal(size=(32, 8)).astype(np.float32)
    y = np.arange(32) % 3
    config = Prune(sparsity=0.5, score=second_order, schedule={"kind": "constant", "end": 1})
    callback = PruningCallback(config, data=ScoringData.from_arrays(x, y))
    model.fit(x, y, epochs=1, callbacks=[callback], verbose=0)
    assert [int(np.sum(np.asarray(one) == 0)) for one in model.get_weights()[::2]] == [79, 9]


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (lambda weights, hessian: weights, "takes 'hessian': name its parameters among weights"),
        ("hessian", "give one of magnitude, taylor, wanda, random, or package.module:function"),
    ],
)
def test_what_is_no_score_is_refused(score: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Prune(sparsity=0.5, score=score)


@pytest.mark.parametrize("score", [within_rows, f"{OWN}within_rows"])
def test_a_score_within_outputs_cannot_choose_outputs(library: Any, score: Any) -> None:
    with pytest.raises((ValidationError, UsageError), match="within_rows ranks within an output"):
        prune(tiny_models.dense(library), Prune(sparsity=0.5, score=score, granularity="filter"))


@pytest.mark.parametrize("wrong", [lambda weights: weights[0], lambda weights: -np.abs(weights)])
def test_a_score_that_answers_nonsense_is_refused(library: Any, wrong: Any) -> None:
    with pytest.raises(UsageError, match="return 0 or more for each weight"):
        prune(tiny_models.dense(library), Prune(sparsity=0.5, score=wrong))


def test_configs_and_scores_need_no_tensorflow() -> None:
    code = (
        "import sys; from tflite_squeeze.techniques.pruning.config import Prune; "
        "Prune(sparsity=0.5, score='taylor').scored_by; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
