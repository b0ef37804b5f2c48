"""What the callback says loudly, and what other callbacks see of it."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from tests.techniques.short_fits import BATCH, QUICK, X, Y, alike, compiled, fit, zeros
from tests.tiny_models import LIBRARIES
from tflite_squeeze.techniques.pruning.callback import PruningCallback
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.schedules import Polynomial
from tflite_squeeze.training.callback import TargetNotReached

pytestmark = pytest.mark.slow


def test_a_short_training_is_said_loudly(library: Any) -> None:
    model = compiled(library)
    callback = PruningCallback(alike(sparsity=0.75, schedule=Polynomial(end=100, frequency=4)))
    with pytest.warns(TargetNotReached, match=r"after 16 steps; 75.00% was asked for at step 100"):
        fit(model, callback)


def test_a_tensor_that_must_keep_too_much_is_said_loudly(library: Any) -> None:
    config = Prune(sparsity=0.9, budget="global", max_layer_sparsity=0.5, schedule=QUICK)
    with pytest.warns(TargetNotReached, match=r"stopped at a sparsity of 50.00%"):
        fit(compiled(library), PruningCallback(config))


def test_nothing_to_prune_is_said_loudly(library: Any) -> None:
    config = alike(sparsity=0.5, protect=("Dense",), schedule=QUICK)
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
        callback = PruningCallback(alike(sparsity=0.75))
        with warnings.catch_warnings():
            warnings.simplefilter("error", TargetNotReached)
            warnings.filterwarnings("ignore", message=".*ran out of data", category=UserWarning)
            model.fit(data, epochs=3, callbacks=[callback], verbose=0, shuffle=False)
        assert zeros(model) == [96, 36]


def test_early_stopping_before_the_end_is_said_loudly(library: Any) -> None:
    stop = library.callbacks.EarlyStopping(monitor="sparsity", mode="min", patience=0)
    callback = PruningCallback(alike(sparsity=0.75, schedule=Polynomial(end=32, frequency=4)))
    with pytest.warns(TargetNotReached, match="after 16 steps"):
        fit(compiled(library), callback, stop, epochs=9)


def test_weights_that_early_stopping_restores_are_pruned_too(library: Any) -> None:
    model = compiled(library)
    stop = library.callbacks.EarlyStopping(
        monitor="loss", mode="max", patience=2, restore_best_weights=True
    )
    callback = PruningCallback(alike(sparsity=0.75, schedule=Polynomial(end=16, frequency=4)))
    fit(model, stop, callback, epochs=9)
    assert stop.stopped_epoch > 0
    assert zeros(model) == [96, 36]


def test_later_callbacks_see_the_sparsity_in_their_logs(library: Any) -> None:
    seen = []
    look = library.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs))
    fit(compiled(library), PruningCallback(alike(sparsity=0.75, schedule=QUICK)), look, epochs=1)
    assert seen[0]["sparsity"] == 0.75


def test_tensorboard_gets_the_sparsity(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    for name, library in LIBRARIES.items():
        board = library.callbacks.TensorBoard(str(tmp_path / name))
        callback = PruningCallback(alike(sparsity=0.75, schedule=QUICK))
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
        fit(compiled(library), PruningCallback(alike(sparsity=0.5, only=("conv",))))
    with pytest.raises(UsageError, match="layers names 'conv'"):
        fit(compiled(library), PruningCallback(alike(sparsity=0.5, layers={"conv": 0.1})))
    with pytest.raises(UsageError, match="score 'taylor' needs samples"):
        fit(compiled(library), PruningCallback(alike(sparsity=0.5, score="taylor")))
