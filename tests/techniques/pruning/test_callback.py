"""Pruning inside `fit`, in both Kerases: what holds during and after a training."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tiny_models
from tests.techniques.short_fits import (
    BATCH,
    QUICK,
    Watch,
    X,
    Y,
    alike,
    compiled,
    fit,
    kernel,
    zeros,
)
from tests.tiny_models import LIBRARIES
from tflite_squeeze.network.variables import constraint_of
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.pruning.callback import PruningCallback
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.schedules import Constant, Polynomial, Stepwise
from tflite_squeeze.techniques.pruning.scoring_data import ScoringData

pytestmark = pytest.mark.slow


def test_it_ends_at_the_target_and_leaves_a_plain_model(library: Any) -> None:
    model = compiled(library)
    biases = [layer.bias for layer in model.layers if hasattr(layer, "bias")]
    history = fit(model, PruningCallback(alike(sparsity=0.75, schedule=QUICK)))
    assert zeros(model) == [96, 36]
    assert history.history["sparsity"] == [0.75, 0.75]
    assert all((np.asarray(bias) != 0).all() for bias in biases)
    assert all(constraint_of(target.variable) is None for target in select(model).targets)
    # Without the callback the zeros are free again.
    fit(model, epochs=1)
    assert zeros(model) == [0, 0]


def test_zeros_hold_in_every_step_and_never_return(library: Any) -> None:
    model, watch = compiled(library), Watch()
    config = alike(sparsity=0.75, schedule=Polynomial(end=12, frequency=4))
    fit(model, PruningCallback(config), watch.callback(library))
    counts = [int(np.sum(~mask)) for mask in watch.masks]
    # 0.75 (1 - (1 - t)^3) of 128 at t = 0, 1/3, 2/3, 1, each for the four steps from there.
    at = [round(128 * 0.75 * (1 - (1 - third / 3) ** 3)) for third in range(4)]
    expected = [count for count in at for _ in range(4)]
    assert counts == expected
    assert not any((late & ~early).any() for early, late in itertools.pairwise(watch.masks))


@settings(deadline=None, max_examples=4)
@given(
    sparsity=st.floats(0, 0.99),
    frequency=st.integers(1, 20),
    end=st.integers(1, 16),
    kind=st.sampled_from([Polynomial, Stepwise, Constant]),
    flavor=st.sampled_from(sorted(LIBRARIES)),
)
def test_the_share_of_zeros_is_what_was_asked(
    sparsity: float, frequency: int, end: int, kind: Any, flavor: str
) -> None:
    model = compiled(LIBRARIES[flavor], optimizer="sgd")
    fit(
        model,
        PruningCallback(alike(sparsity=sparsity, schedule=kind(end=end, frequency=frequency))),
    )
    assert zeros(model) == [round(sparsity * 128), round(sparsity * 48)]


@pytest.mark.parametrize("budget", ["uniform", "erk", "global"])
def test_the_frequency_does_not_change_the_end(library: Any, budget: str) -> None:
    ends = []
    for frequency in (1, 100):
        model = compiled(library)
        schedule = Polynomial(end=11, frequency=frequency)
        fit(model, PruningCallback(Prune(sparsity=0.9, schedule=schedule, budget=budget)))
        ends.append(sum(zeros(model)))
    assert ends[0] == ends[1]
    assert abs(ends[0] - 0.9 * 176) <= 1


@pytest.mark.parametrize(
    "options",
    [
        {"run_eagerly": True},
        {"steps_per_execution": 3},
        {"steps_per_execution": 8, "jit_compile": True},
    ],
    ids=str,
)
def test_ways_to_compile(library: Any, options: dict) -> None:
    model = compiled(library, **options)
    history = fit(model, PruningCallback(alike(sparsity=0.75, schedule=QUICK)), epochs=1)
    assert zeros(model) == [96, 36]
    assert history.history["sparsity"] == [0.75]


def test_gradient_accumulation() -> None:
    library = LIBRARIES["keras"]
    optimizer = library.optimizers.Adam(gradient_accumulation_steps=2)
    model = compiled(library, optimizer=optimizer)
    fit(model, PruningCallback(alike(sparsity=0.75, schedule=QUICK)))
    assert zeros(model) == [96, 36]


def test_averaged_weights_keep_their_zeros(library: Any) -> None:
    optimizer = library.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    model = compiled(library, optimizer=optimizer)
    fit(model, PruningCallback(alike(sparsity=0.75, schedule=QUICK)))
    assert zeros(model) == [96, 36]
    # Keras moved the averages into the weights; what was kept aside must not undo that.
    growing = compiled(library, optimizer=library.optimizers.SGD(0.1, use_ema=True))
    fit(growing, PruningCallback(alike(sparsity=0.75, schedule=QUICK, grow=True)))
    assert zeros(growing) == [96, 36]


def test_mixed_precision(library: Any) -> None:
    model = tiny_models.mixed_precision(library)
    model.compile("adam", "sparse_categorical_crossentropy")
    x = tiny_models.examples(64, 6, 6, 1)
    watch: list[int] = []
    look = library.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: watch.append(zeros(model)[0])
    )
    callback = PruningCallback(alike(sparsity=0.5, schedule=QUICK))
    model.fit(x, Y, batch_size=BATCH, epochs=1, callbacks=[callback, look], verbose=0)
    assert zeros(model) == [9, 48]
    assert watch[-1] == 9


def test_frozen_layers_are_pruned_and_else_untouched(library: Any) -> None:
    model = compiled(library)
    model.layers[-2].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    before = kernel(model).copy()
    fit(model, PruningCallback(alike(sparsity=0.5, schedule=QUICK)))
    after = kernel(model)
    assert zeros(model) == [64, 24]
    np.testing.assert_array_equal(after[after != 0], before[after != 0])


def test_protected_layers_train_as_without_pruning(library: Any) -> None:
    model = compiled(library)
    fit(model, PruningCallback(alike(sparsity=0.5, schedule=QUICK, protect=("hidden",))))
    assert zeros(model) == [0, 24]


def test_a_train_step_of_ones_own(library: Any) -> None:
    class Network(library.Model):
        def train_step(self, data: Any) -> dict[str, Any]:
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(
                    library.losses.sparse_categorical_crossentropy(y, self(x, training=True))
                )
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"loss": loss}

    plain = tiny_models.dense(library)
    model = Network(plain.inputs, plain.outputs)
    model.compile("adam")
    watch = Watch()
    fit(model, PruningCallback(alike(sparsity=0.75, schedule=QUICK)), watch.callback(library))
    assert zeros(model) == [96, 36]
    assert int(np.sum(~watch.masks[-1])) == 96


@pytest.mark.parametrize("build", [tiny_models.nested, tiny_models.subclassed, tiny_models.shared])
def test_other_shapes_of_models(library: Any, build: Callable[..., Any]) -> None:
    model = build(library)
    model.compile("sgd", "mse")
    inputs = 2 if build is tiny_models.shared else 1
    width = model.get_weights()[0].shape[0]
    x: Any = [tiny_models.examples(32, width, seed=seed) for seed in range(inputs)]
    y = np.asarray(model(x if inputs > 1 else x[0])) + 1.0
    callback = PruningCallback(alike(sparsity=0.5, schedule=Polynomial(end=3, frequency=1)))
    model.fit(x if inputs > 1 else x[0], y, batch_size=8, epochs=2, callbacks=[callback], verbose=0)
    assert zeros(model) == [round(target.size / 2) for target in select(model).targets]


def test_a_model_that_is_built_by_its_first_step(library: Any) -> None:
    model = tiny_models.subclassed(library, called=False)
    model.compile("sgd", "mse")
    callback = PruningCallback(alike(sparsity=0.5, schedule=Polynomial(end=6, frequency=1)))
    x = tiny_models.examples(64, 6)
    history = model.fit(x, x[:, :2], batch_size=8, epochs=2, callbacks=[callback], verbose=0)
    assert zeros(model) == [9, 3]
    assert history.history["sparsity"] == [0.5, 0.5]


def test_a_layer_that_begins_at_zero_trains(library: Any) -> None:
    layers = library.layers
    model = library.Sequential(
        [library.Input((8,)), layers.Dense(2, kernel_initializer="zeros", activation="softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    fit(model, PruningCallback(alike(sparsity=0.5, schedule=Polynomial(begin=4, end=8))))
    assert zeros(model) == [8]


def test_the_users_constraint_holds_and_is_put_back(library: Any) -> None:
    layers = library.layers
    model = library.Sequential(
        [library.Input((8,)), layers.Dense(3, activation="softmax", kernel_constraint="non_neg")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    own = constraint_of(model.layers[-1].kernel)
    fit(model, PruningCallback(alike(sparsity=0.5, schedule=QUICK)))
    weights = np.asarray(model.layers[-1].kernel)
    assert (weights >= 0).all()
    assert np.sum(weights == 0) >= 12
    assert constraint_of(model.layers[-1].kernel) is own


def test_growing_back_lets_other_weights_win(library: Any) -> None:
    """The small weights carry the signal: with growth they return, without they are lost."""
    x = tiny_models.examples(256, 4)
    y = 3.0 * x[:, :1]
    kept = {}
    for grow in (False, True):
        model = library.Sequential([library.Input((4,)), library.layers.Dense(1, use_bias=False)])
        model.layers[-1].kernel.assign([[0.01], [0.2], [0.3], [0.4]])
        model.compile(library.optimizers.SGD(0.05), "mse")
        schedule = Constant(end=60, frequency=10)
        callback = PruningCallback(alike(sparsity=0.75, schedule=schedule, grow=grow))
        model.fit(x, y, batch_size=16, epochs=5, callbacks=[callback], verbose=0)
        kept[grow] = np.flatnonzero(np.asarray(model.layers[-1].kernel)).tolist()
    assert kept == {False: [3], True: [0]}


@pytest.mark.parametrize(
    "config",
    [
        {"sparsity": 0.5, "granularity": "2x4"},
        {"granularity": "2:4"},
        {"sparsity": 0.5, "granularity": "filter"},
        {"sparsity": 0.5, "score": "random"},
        {"sparsity": 0.5, "score": "taylor"},
        {"sparsity": 0.5, "score": "wanda"},
        {"sparsity": 0.5, "layers": {"scores": 0.25}},
        {"sparsity": "median"},
    ],
    ids=str,
)
def test_scores_and_patterns_while_training(library: Any, config: dict) -> None:
    model = compiled(library)
    data = ScoringData.from_arrays(X, Y, batch=32)
    fit(model, PruningCallback(alike(schedule=QUICK, **config), data=data), epochs=1)
    expected = {"filter": [64, 32], "layers": [64, 12]}
    key = "layers" if "layers" in config else config.get("granularity")
    assert zeros(model) == expected.get(key, [64, 24])


def test_a_threshold(library: Any) -> None:
    model = compiled(library, optimizer=library.optimizers.SGD(0.0))
    before = kernel(model).copy()
    fit(model, PruningCallback(Prune(threshold=0.2, schedule=QUICK)), epochs=1)
    np.testing.assert_array_equal(kernel(model), np.where(np.abs(before) >= 0.2, before, 0))
