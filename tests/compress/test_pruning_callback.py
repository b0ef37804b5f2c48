"""Pruning inside `fit`, in both Kerases: what holds during, after and across trainings."""

import itertools
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.compress.keras_variables import constraint_of
from tflite_squeeze.compress.layers import select
from tflite_squeeze.compress.prune_config import Prune
from tflite_squeeze.compress.pruning_callback import PruningCallback, TargetNotReached
from tflite_squeeze.compress.schedules import Constant, Polynomial, Stepwise
from tflite_squeeze.compress.scoring_data import ScoringData

X = tiny_models.examples(64, 8)
Y = (X[:, 0] > 0).astype(np.int64)
BATCH = 8  # 8 steps in an epoch
QUICK = Polynomial(end=6, frequency=2)


def compiled(library: Any, *, optimizer: Any = "adam", **options: Any) -> Any:
    model = tiny_models.dense(library)
    model.compile(optimizer, "sparse_categorical_crossentropy", **options)
    return model


def fit(model: Any, *callbacks: Any, epochs: int = 2, **options: Any) -> Any:
    return model.fit(
        X, Y, batch_size=BATCH, epochs=epochs, callbacks=list(callbacks), verbose=0, **options
    )


def zeros(model: Any) -> list[int]:
    """Zeros of every kernel."""
    return [int(np.sum(np.asarray(t.variable) == 0)) for t in select(model).targets]


def kernel(model: Any) -> np.ndarray:
    return np.asarray(model.layers[-2].kernel)


class Watch:
    """Makes a callback that looks at the kernel's zeros at the end of every step."""

    def __init__(self) -> None:
        self.masks: list[np.ndarray] = []

    def callback(self, library: Any) -> Any:
        def look(batch: int, logs: Any) -> None:
            self.masks.append(kernel(callback.model) != 0)

        callback = library.callbacks.LambdaCallback(on_train_batch_end=look)
        return callback


def test_it_ends_at_the_target_and_leaves_a_plain_model(library: Any) -> None:
    model = compiled(library)
    biases = [layer.bias for layer in model.layers if hasattr(layer, "bias")]
    history = fit(model, PruningCallback(Prune(sparsity=0.75, schedule=QUICK)))
    assert zeros(model) == [96, 36]
    assert history.history["sparsity"] == [0.75, 0.75]
    assert all((np.asarray(bias) != 0).all() for bias in biases)
    assert all(constraint_of(target.variable) is None for target in select(model).targets)
    # Without the callback the zeros are free again.
    fit(model, epochs=1)
    assert zeros(model) == [0, 0]


def test_zeros_hold_in_every_step_and_never_return(library: Any) -> None:
    model, watch = compiled(library), Watch()
    config = Prune(sparsity=0.75, schedule=Polynomial(end=12, frequency=4))
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
        PruningCallback(Prune(sparsity=sparsity, schedule=kind(end=end, frequency=frequency))),
    )
    assert zeros(model) == [round(sparsity * 128), round(sparsity * 48)]


@pytest.mark.parametrize("budget", ["uniform", "global"])
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
    history = fit(model, PruningCallback(Prune(sparsity=0.75, schedule=QUICK)), epochs=1)
    assert zeros(model) == [96, 36]
    assert history.history["sparsity"] == [0.75]


def test_gradient_accumulation() -> None:
    library = LIBRARIES["keras"]
    optimizer = library.optimizers.Adam(gradient_accumulation_steps=2)
    model = compiled(library, optimizer=optimizer)
    fit(model, PruningCallback(Prune(sparsity=0.75, schedule=QUICK)))
    assert zeros(model) == [96, 36]


def test_averaged_weights_keep_their_zeros(library: Any) -> None:
    optimizer = library.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    model = compiled(library, optimizer=optimizer)
    fit(model, PruningCallback(Prune(sparsity=0.75, schedule=QUICK)))
    assert zeros(model) == [96, 36]
    # Keras moved the averages into the weights; what was kept aside must not undo that.
    growing = compiled(library, optimizer=library.optimizers.SGD(0.1, use_ema=True))
    fit(growing, PruningCallback(Prune(sparsity=0.75, schedule=QUICK, grow=True)))
    assert zeros(growing) == [96, 36]


def test_mixed_precision(library: Any) -> None:
    model = tiny_models.mixed_precision(library)
    model.compile("adam", "sparse_categorical_crossentropy")
    x = tiny_models.examples(64, 6, 6, 1)
    watch: list[int] = []
    look = library.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: watch.append(zeros(model)[0])
    )
    callback = PruningCallback(Prune(sparsity=0.5, schedule=QUICK))
    model.fit(x, Y, batch_size=BATCH, epochs=1, callbacks=[callback, look], verbose=0)
    assert zeros(model) == [9, 48]
    assert watch[-1] == 9


def test_frozen_layers_are_pruned_and_else_untouched(library: Any) -> None:
    model = compiled(library)
    model.layers[-2].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    before = kernel(model).copy()
    fit(model, PruningCallback(Prune(sparsity=0.5, schedule=QUICK)))
    after = kernel(model)
    assert zeros(model) == [64, 24]
    np.testing.assert_array_equal(after[after != 0], before[after != 0])


def test_protected_layers_train_as_without_pruning(library: Any) -> None:
    model = compiled(library)
    fit(model, PruningCallback(Prune(sparsity=0.5, schedule=QUICK, protect=("hidden",))))
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
    fit(model, PruningCallback(Prune(sparsity=0.75, schedule=QUICK)), watch.callback(library))
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
    callback = PruningCallback(Prune(sparsity=0.5, schedule=Polynomial(end=3, frequency=1)))
    model.fit(x if inputs > 1 else x[0], y, batch_size=8, epochs=2, callbacks=[callback], verbose=0)
    assert zeros(model) == [round(target.size / 2) for target in select(model).targets]


def test_a_model_that_is_built_by_its_first_step(library: Any) -> None:
    model = tiny_models.subclassed(library, called=False)
    model.compile("sgd", "mse")
    callback = PruningCallback(Prune(sparsity=0.5, schedule=Polynomial(end=6, frequency=1)))
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
    fit(model, PruningCallback(Prune(sparsity=0.5, schedule=Polynomial(begin=4, end=8))))
    assert zeros(model) == [8]


def test_the_users_constraint_holds_and_is_put_back(library: Any) -> None:
    layers = library.layers
    model = library.Sequential(
        [library.Input((8,)), layers.Dense(3, activation="softmax", kernel_constraint="non_neg")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    own = constraint_of(model.layers[-1].kernel)
    fit(model, PruningCallback(Prune(sparsity=0.5, schedule=QUICK)))
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
        callback = PruningCallback(Prune(sparsity=0.75, schedule=schedule, grow=grow))
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
    fit(model, PruningCallback(Prune(schedule=QUICK, **config), data=data), epochs=1)
    expected = {"filter": [64, 32], "layers": [64, 12]}
    key = "layers" if "layers" in config else config.get("granularity")
    assert zeros(model) == expected.get(key, [64, 24])


def test_a_threshold(library: Any) -> None:
    model = compiled(library, optimizer=library.optimizers.SGD(0.0))
    before = kernel(model).copy()
    fit(model, PruningCallback(Prune(threshold=0.2, schedule=QUICK)), epochs=1)
    np.testing.assert_array_equal(kernel(model), np.where(np.abs(before) >= 0.2, before, 0))


# --- restarts ---------------------------------------------------------------------------------


def test_a_second_fit_goes_on(library: Any) -> None:
    model = compiled(library)
    callback = PruningCallback(Prune(sparsity=0.75, schedule=Polynomial(end=16, frequency=2)))
    with pytest.warns(TargetNotReached, match="after 8 steps"):
        fit(model, callback, epochs=1)
    first = kernel(model) != 0
    assert np.sum(~first) == round(128 * 0.75 * 7 / 8)
    fit(model, callback, epochs=1)
    assert zeros(model) == [96, 36]
    assert not ((kernel(model) != 0) & ~first).any()


@pytest.mark.parametrize("budget", ["uniform", "global"])
def test_a_third_fit_keeps_the_masks(library: Any, budget: str) -> None:
    model = compiled(library)
    config = Prune(sparsity=0.75, schedule=Polynomial(frequency=1), budget=budget)
    callback = PruningCallback(config)
    fit(model, callback)
    first = kernel(model) != 0
    fit(model, callback)
    np.testing.assert_array_equal(kernel(model) != 0, first)
    # A schedule that starts anew asks for fewer zeros at first: none returns.
    watch = Watch()
    fit(model, PruningCallback(config), watch.callback(library))
    assert all((mask == first).all() for mask in watch.masks)


def test_another_model_starts_anew(library: Any) -> None:
    callback = PruningCallback(Prune(sparsity=0.75, schedule=QUICK))
    for _ in range(2):
        model = compiled(library)
        watch = Watch()
        fit(model, callback, watch.callback(library))
        assert watch.masks[0].all()
        assert zeros(model) == [96, 36]


def test_an_interrupted_training_leaves_nothing_behind_for_the_next(library: Any) -> None:
    model = compiled(library)
    callback = PruningCallback(Prune(sparsity=0.75, schedule=QUICK))

    def stop(batch: int, logs: Any) -> None:
        if batch == 3:
            raise KeyboardInterrupt

    breaker = library.callbacks.LambdaCallback(on_train_batch_end=stop)
    with pytest.raises(KeyboardInterrupt):
        fit(model, callback, breaker)
    fit(model, callback)
    assert zeros(model) == [96, 36]
    assert constraint_of(model.layers[-2].kernel) is None


def test_a_checkpoint_goes_on_with_masks_and_step(library: Any, tmp_path: Path) -> None:
    config = Prune(sparsity=0.75, schedule=Polynomial(end=20, frequency=2))
    model = compiled(library)
    path = tmp_path / "epoch_{epoch}.keras"
    fit(model, PruningCallback(config), library.callbacks.ModelCheckpoint(str(path)), epochs=3)
    resumed = library.models.load_model(tmp_path / "epoch_1.keras")
    assert zeros(resumed) != [0, 0]
    first = kernel(resumed) != 0
    watch = Watch()
    fit(resumed, PruningCallback(config), watch.callback(library), epochs=3, initial_epoch=1)
    assert zeros(resumed) == zeros(model) == [96, 36]
    assert not any((mask & ~first).any() for mask in watch.masks)
    # Step 8 of 20: the schedule is not at its beginning.
    assert int(np.sum(~watch.masks[0])) == round(128 * 0.75 * (1 - (12 / 20) ** 3))


def test_backup_and_restore_goes_on(library: Any, tmp_path: Path) -> None:
    config = Prune(sparsity=0.75, schedule=Polynomial(end=16, frequency=4))
    model = compiled(library)

    def crash(epoch: int, logs: Any) -> None:
        if epoch == 1:
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fit(
            model,
            PruningCallback(config),
            library.callbacks.BackupAndRestore(str(tmp_path / "backup")),
            library.callbacks.LambdaCallback(on_epoch_begin=crash),
            epochs=3,
        )
    first = kernel(model) != 0
    assert 0 < np.sum(~first) < 96
    again, watch = compiled(library), Watch()
    callbacks = [library.callbacks.BackupAndRestore(str(tmp_path / "backup"))]
    fit(again, PruningCallback(config), *callbacks, watch.callback(library), epochs=3)
    assert zeros(again) == [96, 36]
    assert len(watch.masks) == 16
    assert not any((mask & ~first).any() for mask in watch.masks)


def test_a_run_that_starts_behind_the_end_prunes_at_once(library: Any) -> None:
    model, watch = compiled(library), Watch()
    callback = PruningCallback(Prune(sparsity=0.75, schedule=QUICK))
    fit(model, callback, watch.callback(library), epochs=3, initial_epoch=2)
    assert [int(np.sum(~mask)) for mask in watch.masks] == [96] * 8


def test_saved_files_are_plain(tmp_path: Path) -> None:
    """Another process without this package loads the models and their zeros."""
    script = "import sys\nsys.modules['tflite_squeeze'] = None\nimport keras, tf_keras\n"
    for name, library in LIBRARIES.items():
        model = compiled(library)
        fit(model, PruningCallback(Prune(sparsity=0.75, schedule=QUICK)), epochs=1)
        path = str(tmp_path / f"{name}.keras")
        model.save(path)
        script += f"model = {name}.models.load_model({path!r})\n"
        script += "print((model.get_weights()[0] == 0).sum(), model.layers[-1].kernel.constraint)\n"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["96", "None"] * 2


# --- warnings and other callbacks -------------------------------------------------------------


def test_a_short_training_is_said_loudly(library: Any) -> None:
    model = compiled(library)
    callback = PruningCallback(Prune(sparsity=0.75, schedule=Polynomial(end=100, frequency=4)))
    with pytest.warns(TargetNotReached, match=r"after 16 steps; 75.00% was asked for at step 100"):
        fit(model, callback)


def test_a_tensor_that_must_keep_too_much_is_said_loudly(library: Any) -> None:
    config = Prune(sparsity=0.9, budget="global", max_layer_sparsity=0.5, schedule=QUICK)
    with pytest.warns(TargetNotReached, match=r"stopped at a sparsity of 50.00%"):
        fit(compiled(library), PruningCallback(config))


def test_nothing_to_prune_is_said_loudly(library: Any) -> None:
    config = Prune(sparsity=0.5, protect=("Dense",), schedule=QUICK)
    with pytest.warns(TargetNotReached) as seen:
        fit(compiled(library), PruningCallback(config))
    assert "nothing to prune in model 'dense': hidden: protected; scores: pro" in str(
        seen[0].message
    )


def test_an_unknown_length_of_epoch(library: Any) -> None:
    def batches() -> Any:
        for start in range(0, 64, BATCH):
            yield X[start : start + BATCH], Y[start : start + BATCH]

    spec = (tf.TensorSpec((None, 8)), tf.TensorSpec((None,), tf.int64))
    keras3 = library is LIBRARIES["keras"]
    for options in ({}, {"steps_per_execution": 3}) if keras3 else ({},):
        model = compiled(library, **options)
        data = tf.data.Dataset.from_generator(batches, output_signature=spec)
        callback = PruningCallback(Prune(sparsity=0.75))
        with warnings.catch_warnings():
            warnings.simplefilter("error", TargetNotReached)
            warnings.filterwarnings("ignore", message=".*ran out of data", category=UserWarning)
            model.fit(data, epochs=3, callbacks=[callback], verbose=0, shuffle=False)
        assert zeros(model) == [96, 36]


def test_early_stopping_before_the_end_is_said_loudly(library: Any) -> None:
    stop = library.callbacks.EarlyStopping(monitor="sparsity", mode="min", patience=0)
    callback = PruningCallback(Prune(sparsity=0.75, schedule=Polynomial(end=32, frequency=4)))
    with pytest.warns(TargetNotReached, match="after 16 steps"):
        fit(compiled(library), callback, stop, epochs=9)


def test_weights_that_early_stopping_restores_are_pruned_too(library: Any) -> None:
    model = compiled(library)
    stop = library.callbacks.EarlyStopping(
        monitor="loss", mode="max", patience=2, restore_best_weights=True
    )
    callback = PruningCallback(Prune(sparsity=0.75, schedule=Polynomial(end=16, frequency=4)))
    fit(model, stop, callback, epochs=9)
    assert stop.stopped_epoch > 0
    assert zeros(model) == [96, 36]


def test_later_callbacks_see_the_sparsity_in_their_logs(library: Any) -> None:
    seen = []
    look = library.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs))
    fit(compiled(library), PruningCallback(Prune(sparsity=0.75, schedule=QUICK)), look, epochs=1)
    assert seen[0]["sparsity"] == 0.75


def test_tensorboard_gets_the_sparsity(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    for name, library in LIBRARIES.items():
        board = library.callbacks.TensorBoard(str(tmp_path / name))
        callback = PruningCallback(Prune(sparsity=0.75, schedule=QUICK))
        fit(compiled(library), callback, board, epochs=1)
        tags = set()
        for path in (tmp_path / name).rglob("events.out*"):
            for record in tf.data.TFRecordDataset(str(path)):
                event = tf.compat.v1.Event.FromString(record.numpy())
                tags |= {value.tag for value in event.summary.value}
        assert "epoch_sparsity" in tags


def test_a_pattern_that_means_no_layer_stops_the_training(library: Any) -> None:
    from tflite_squeeze.errors import UsageError

    with pytest.raises(UsageError, match="only names 'conv'"):
        fit(compiled(library), PruningCallback(Prune(sparsity=0.5, only=("conv",))))
    with pytest.raises(UsageError, match="layers names 'conv'"):
        fit(compiled(library), PruningCallback(Prune(sparsity=0.5, layers={"conv": 0.1})))
    with pytest.raises(UsageError, match="score 'taylor' is taken on samples"):
        fit(compiled(library), PruningCallback(Prune(sparsity=0.5, score="taylor")))
