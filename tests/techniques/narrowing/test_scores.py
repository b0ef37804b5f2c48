"""The order in which channels go: by hand, and against trying every channel."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.techniques.narrowing import scores
from tflite_squeeze.techniques.narrowing.channels import channels_of
from tflite_squeeze.techniques.narrowing.scores import Ranking, channel_scores, rank

INPUTS = {"x": tiny_models.examples(256, 8)}


def two_layers(library: Any, taken: Any) -> Any:
    """Eight inputs, four units without an activation, and what takes them."""
    layers = library.layers
    model = library.Sequential(
        [library.Input((8,), name="x"), layers.Dense(4, name="hidden"), layers.Dense(2, name="out")]
    )
    made = np.eye(8, 4, dtype=np.float32)
    model.get_layer("hidden").set_weights([made, np.zeros(4, np.float32)])
    model.get_layer("out").set_weights([np.array(taken, np.float32), np.zeros(2, np.float32)])
    return model


def ranked(model: Any, score: Any, inputs: Any = INPUTS) -> Ranking:
    channels = channels_of(model)
    groups = [group for group in channels.groups if not group.fixed]
    norms = [channel_scores(channels, group) for group in groups]
    (ranking,) = rank(model, channels, groups, score, inputs, norms)
    return ranking


@pytest.mark.parametrize("score", ["norm", "activation", "fisher", "least-squares"])
def test_what_weighs_least_goes_first(library: Any, score: Any) -> None:
    """Units are independent, of about the same power, and are taken with 3, 0.1, 2 and 1."""
    model = two_layers(library, [[3, 0], [0, 0.1], [2, 0], [0, 1]])
    ranking = ranked(model, score)
    assert list(ranking.order[:2]) == [1, 3]
    assert ranking.score == score
    assert list(ranking.stays(2)) == [0, 2]
    assert np.all(np.diff(ranking.losses) >= 0)


def test_only_least_squares_sees_that_a_channel_is_held_twice(library: Any) -> None:
    """Units 0 and 2 are the same, and taken the most: one of them goes first, for nothing."""
    model = two_layers(library, [[3, 1], [0, 1], [3, 1], [1, 0]])
    kernel, bias = model.get_layer("hidden").get_weights()
    kernel[:, 2] = kernel[:, 0]
    model.get_layer("hidden").set_weights([kernel, bias])
    ranking = ranked(model, "least-squares")
    assert ranking.order[0] in (0, 2)
    assert ranking.losses[0] < 0.1 * ranking.losses[1]
    assert ranked(model, "activation").order[0] not in (0, 2)


def test_without_samples_weights_decide(library: Any) -> None:
    ranking = ranked(tiny_models.dense(library), "least-squares", None)
    assert ranking.score == "norm"


def test_many_channels_go_in_rounds_at_nearly_the_same_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((400, 48)) @ rng.standard_normal((48, 96))
    x = hidden + 0.3 * rng.standard_normal((400, 96))
    kernel = rng.standard_normal((96, 8))
    columns = [np.array([one]) for one in range(96)]
    found = []
    for rounds in (1000, 32):
        monkeypatch.setattr(scores, "_ROUNDS", rounds)
        taker = scores._Taker(0, columns, kernel, x.T @ x / 400, np.square(x).mean(axis=0))
        ranking = scores._greedy(96, [taker.system()])
        assert sorted(ranking.order) == list(range(96))
        assert np.all(np.diff(ranking.losses) >= 0)
        # Without any input, all that the outputs were is lost.
        assert ranking.losses[-1] == pytest.approx(1, abs=0.01)
        found.append(ranking.losses)
    assert found[1][71] == pytest.approx(found[0][71], rel=0.1)
