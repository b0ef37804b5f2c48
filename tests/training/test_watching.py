"""A training that is watched: the best state that counts is kept, and a collapse is noticed."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import examples
from tflite_squeeze.data.data import load_data
from tflite_squeeze.network.flavors import input_specs
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.pruning.schedules import Polynomial
from tflite_squeeze.techniques.sharing.cluster import cluster
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.finetune import finetune
from tflite_squeeze.training.held_back import HeldBack, Seen
from tflite_squeeze.training.plan import planned
from tflite_squeeze.training.quality import quality
from tflite_squeeze.training.watching import CollapseError, Watch, gentler, is_lost, watched

X = examples(240, 8)
Y = np.argmax(X[:, :3], axis=1)
DATA = {"x_train": X[:120], "y_train": Y[:120], "x_test": X[120:], "y_test": Y[120:]}
# What is trained on says the opposite of what is held back: every step makes it worse.
WRONG = {**DATA, "y_train": (Y[:120] + 1) % 3}


def knowing(library: Any) -> Any:
    """A model that answers right."""
    model = library.Sequential([library.Input((8,), name="x"), library.layers.Dense(3, "softmax")])
    kernel = np.zeros((8, 3), np.float32)
    kernel[:3] = 20 * np.eye(3)
    model.layers[-1].set_weights([kernel, np.zeros(3, np.float32)])
    return model


def accuracy(model: Any) -> float:
    return quality(model, {next(iter(input_specs(model))): X[120:]}, Y[120:])


@pytest.mark.parametrize(
    ("badness", "start", "chance", "lost"),
    [
        (0.5, 0.1, 0.9, True),
        (0.4, 0.1, 0.9, False),
        (0.9, 0.85, 0.9, False),
        (2.0, 0.0, 1.0, True),
        (0.3, 0.5, 0.4, False),
    ],
)
def test_half_of_the_way_to_chance_is_a_collapse(
    badness: float, start: float, chance: float, lost: bool
) -> None:
    assert is_lost(badness, start, chance) == lost


def test_only_what_was_chosen_gets_gentler() -> None:
    config = planned(FineTune(), 500)
    both = [
        (one.learning_rate, one.batch, one.steps)
        for one in gentler(config, {"learning_rate", "batch"})
    ]
    assert both == [(5e-4, 32, 608), (5e-4, 16, 608)]
    assert [one.batch for one in gentler(config, {"batch"})] == [16]
    assert gentler(config, {"warmup"}) == []


def test_the_best_state_is_kept_and_not_the_last(library: Any) -> None:
    model = knowing(library)
    data = load_data(WRONG).fitted_to(input_specs(model))
    how = {"steps": 100, "batch": 20, "learning_rate": 0.3}
    done = finetune(model, data, FineTune(**how))
    assert accuracy(model) == 1.0
    assert "kept the weights as they were after 0 of 100 steps: accuracy 100.0%" in done.notes[0]
    last = knowing(library)
    assert finetune(last, data, FineTune(**how), selects=False).notes == ()
    assert accuracy(last) < 0.5


def test_where_nothing_is_held_back_the_last_state_is_kept(library: Any) -> None:
    model = knowing(library)
    data = load_data({"x": WRONG["x_train"], "y": WRONG["y_train"]})
    done = finetune(
        model, data.fitted_to(input_specs(model)), FineTune(steps=100, learning_rate=0.3)
    )
    assert done.notes == ()
    assert accuracy(model) < 0.5


def test_statistics_of_normalizations_go_back_too(library: Any) -> None:
    layers = library.layers
    model = library.Sequential(
        [library.Input((8,), name="x"), layers.BatchNormalization(), *knowing(library).layers]
    )
    before = np.array(model.layers[0].moving_mean)
    shifted = {**WRONG, "x_train": WRONG["x_train"] + 5}
    data = load_data(shifted).fitted_to(input_specs(model))
    finetune(model, data, FineTune(steps=100, batch=20, learning_rate=0.3))
    np.testing.assert_array_equal(model.layers[0].moving_mean, before)


@pytest.mark.slow
def test_pruned_weights_stay_pruned(library: Any) -> None:
    schedule = Polynomial(end=60, frequency=10)
    training = FineTune(steps=100, batch=20, learning_rate=0.3)
    pruned, record = prune(
        knowing(library), Prune(sparsity=0.75, schedule=schedule), WRONG, training
    )
    assert record.sparsity >= 0.75
    assert np.mean(np.asarray(pruned.layers[-1].kernel) == 0) >= 0.75
    kept = next(note for note in record.notes if note.startswith("kept"))
    assert int(kept.split()[7]) > 60  # no state from before the schedule's end


@pytest.mark.slow
def test_shared_values_stay_shared(library: Any) -> None:
    training = FineTune(steps=100, batch=20, learning_rate=0.3)
    shared, record = cluster(knowing(library), Cluster(clusters=4), WRONG, training)
    assert len(np.unique(np.asarray(shared.layers[-1].kernel))) <= 5
    assert record.reached
    assert any(note.startswith("kept") for note in record.notes)


class Recorded:
    """Stands in for `fit`: collapses at rates above a limit."""

    def __init__(self, limit: float, badness: float = 1.0) -> None:
        self.limit, self.badness = limit, badness
        self.rates: list[float] = []

    def __call__(self, config: FineTune, callbacks: list[Any]) -> dict[str, list[float]]:
        watch = callbacks[0]
        watch.set_model(self.model)
        watch.on_train_begin()
        self.rates.append(config.learning_rate)
        if config.learning_rate > self.limit and (watch._checks or np.isinf(self.badness)):
            self.model.layers[-1].set_weights([np.full((8, 3), 9.0), np.zeros(3)])
            raise CollapseError(self.badness, 60)
        return {"loss": [0.0]}


@pytest.mark.parametrize(
    ("limit", "badness", "rates", "said"),
    [
        (1.0, 0.9, [0.001], ""),
        (0.0006, 0.9, [0.001, 0.0005], "trained with a learning rate of 0.0005"),
        (0.0, 0.9, [0.001, 0.0005, 0.0005, 0.001], "trained with a learning rate of 0.001"),
        (0.0, float("inf"), [0.001, 0.0005, 0.0005], "given up, nothing was trained"),
    ],
)
def test_it_starts_again_with_smaller_steps(
    library: Any, limit: float, badness: float, rates: list[float], said: str
) -> None:
    model, fit = knowing(library), Recorded(limit, badness)
    fit.model = model
    data = load_data(DATA).fitted_to(input_specs(model))
    config = planned(FineTune(), 120)
    done = watched(
        fit,
        model,
        HeldBack(model, data),
        config,
        [],
        chosen={"learning_rate", "batch"},
        selects=True,
    )
    assert fit.rates == rates
    assert said in " ".join(done.notes)
    assert accuracy(model) == 1.0
    fixed = Recorded(0.0)
    fixed.model = model
    watched(fixed, model, HeldBack(model, data), config, [], chosen=(), selects=True)
    assert fixed.rates == [0.001]


def test_numbers_that_are_none_end_a_training(library: Any) -> None:
    model = tiny_models.dense(library)
    data = load_data(DATA).fitted_to(input_specs(model))
    before = [np.array(one) for one in model.get_weights()]
    done = finetune(model, data, FineTune(steps=60, batch=20, learning_rate=1e30, optimizer="sgd"))
    assert "given up" in done.notes[0]
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.slow
def test_it_ends_when_nothing_more_comes_unless_the_length_was_given(library: Any) -> None:
    data = load_data(WRONG).fitted_to(input_specs(knowing(library)))
    ended = finetune(knowing(library), data, FineTune(learning_rate=0.3))
    assert ended.steps < 400
    asked = finetune(knowing(library), data, FineTune(steps=600, learning_rate=0.3))
    assert asked.steps == 600


def test_a_callback_that_is_not_settled_keeps_a_state_from_counting(library: Any) -> None:
    model = knowing(library)
    held = HeldBack(model, load_data(DATA).fitted_to(input_specs(model)))
    for settled in (True, False):
        other = type("Other", (), {"settled": settled})()
        watch = Watch(
            held,
            [other],
            10,
            start=(Seen(badness=0.0), 0.6),
            checks=False,
            selects=True,
            ends_early=False,
        )
        watch.set_model(model)
        watch.on_train_begin()
        model.layers[-1].set_weights([np.zeros((8, 3)), np.zeros(3)])
        assert bool(watch.keep_best(model)) == settled
        assert (accuracy(model) == 1.0) == settled


@pytest.mark.parametrize(
    ("wrong", "steps", "kept"), [(3, 10, False), (12, 10, True), (3, 20, True)]
)
def test_a_state_that_is_better_by_chance_does_not_replace_the_end_of_a_whole_training(
    library: Any, wrong: int, steps: int, kept: bool
) -> None:
    model = knowing(library)
    labels = Y[120:].copy()
    labels[:wrong] = (labels[:wrong] + 1) % 3
    data = {**DATA, "y_test": labels}
    held = HeldBack(model, load_data(data).fitted_to(input_specs(model)))
    better = Seen(badness=2 / 120, wrong=np.arange(120) >= 118)
    watch = Watch(held, [], steps, start=(better, 0.6), checks=False, selects=True, ends_early=True)
    watch.set_model(model)
    watch.on_train_begin()
    watch._step = 10
    assert bool(watch.keep_best(model)) == kept
