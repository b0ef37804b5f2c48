"""Sharing inside `fit`, in both Kerases: what holds during, after and across trainings."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.techniques.short_fits import BATCH, X, Y, compiled, fit
from tests.tiny_models import LIBRARIES
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.variables import constraint_of
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.pruning.callback import PruningCallback
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.schedules import Polynomial
from tflite_squeeze.techniques.sharing.callback import ClusteringCallback, NothingShared
from tflite_squeeze.techniques.sharing.config import Cluster

pytestmark = pytest.mark.slow


def kernels(model: Any) -> list[np.ndarray]:
    return [np.asarray(target.variable) for target in select(model).targets]


def values(model: Any) -> list[int]:
    """Distinct values other than 0 of every kernel."""
    return [len(np.unique(kernel[kernel != 0])) for kernel in kernels(model)]


class Watch:
    """Looks at the kernels at the end of every step."""

    def __init__(self) -> None:
        self.seen: list[list[np.ndarray]] = []

    def callback(self, library: Any) -> Any:
        def look(batch: int, logs: Any) -> None:
            self.seen.append([kernel.copy() for kernel in kernels(callback.model)])

        callback = library.callbacks.LambdaCallback(on_train_batch_end=look)
        return callback


def test_every_step_has_few_values_and_they_move(library: Any) -> None:
    model, watch = compiled(library), Watch()
    history = fit(model, ClusteringCallback(Cluster(clusters=4)), watch.callback(library))
    assert history.history["shared_values"] == [4, 4]
    assert len(watch.seen) == 16
    assert all([len(np.unique(k)) for k in step] == [4, 4] for step in watch.seen)
    assert not np.array_equal(np.unique(watch.seen[0][0]), np.unique(watch.seen[-1][0]))
    # Nobody changed sides.
    first, last = watch.seen[0][0], watch.seen[-1][0]
    np.testing.assert_array_equal(
        np.unique(first, return_inverse=True)[1], np.unique(last, return_inverse=True)[1]
    )
    assert all(constraint_of(target.variable) is None for target in select(model).targets)
    # Without the callback they are free again.
    fit(model, epochs=1)
    assert min(values(model)) > 40


def test_a_step_of_sgd_is_the_mean_of_the_members_gradients(library: Any) -> None:
    import tensorflow as tf

    model = compiled(library, optimizer=library.optimizers.SGD(0.5))
    config = Cluster(clusters=3, only=("hidden",))
    shared = compiled(library, optimizer=library.optimizers.SGD(0.5))
    fit(shared, ClusteringCallback(config), epochs=1, steps_per_epoch=1, shuffle=False)
    # By hand: the shared kernel, its gradient on the same batch, the mean over members.
    kernel = select(model).targets[0].variable
    start = np.unique(kernels(shared)[0], return_inverse=True)[1].reshape(8, 16)
    means = np.array([np.asarray(kernel)[start == k].mean(dtype=np.float64) for k in range(3)])
    kernel.assign(means[start].astype(np.float32))
    loss_of = library.losses.SparseCategoricalCrossentropy()
    with tf.GradientTape() as tape:
        loss = loss_of(Y[:BATCH], model(X[:BATCH], training=True))
    found = tape.gradient(loss, getattr(kernel, "value", kernel) if library is LIBRARIES["keras"]
                          else kernel)  # fmt: skip
    gradients = np.array([np.asarray(found)[start == k].mean() for k in range(3)])
    np.testing.assert_allclose(
        np.unique(kernels(shared)[0]), np.sort(means - 0.5 * gradients), atol=1e-5
    )


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
    fit(model, ClusteringCallback(Cluster(clusters=4, reassign=3)), epochs=1)
    assert values(model) == [4, 4]


def test_zeros_stay_zeros_and_are_not_counted(library: Any) -> None:
    model, watch = compiled(library), Watch()
    schedule = Polynomial(end=6, frequency=2)
    prune = Prune(sparsity=0.5, budget="uniform", schedule=schedule)
    callbacks = [ClusteringCallback(Cluster(clusters=4, begin=8, reassign=2)),
                 PruningCallback(prune)]  # fmt: skip
    fit(model, *callbacks, watch.callback(library), epochs=3)
    pruned = watch.seen[7]
    assert values_of(pruned) == [64, 24]  # not shared yet
    for step in watch.seen[8:]:
        assert values_of(step) == [4, 4]
        assert all(((k == 0) == (p == 0)).all() for k, p in zip(step, pruned, strict=True))
    assert all(constraint_of(target.variable) is None for target in select(model).targets)


def values_of(step: list[np.ndarray]) -> list[int]:
    return [len(np.unique(kernel[kernel != 0])) for kernel in step]


def test_reassigning_lets_weights_change_sides(library: Any) -> None:
    model, watch = compiled(library, optimizer=library.optimizers.Adam(0.02)), Watch()
    fit(model, ClusteringCallback(Cluster(clusters=4, reassign=4)), watch.callback(library))
    first, last = watch.seen[0][0], watch.seen[-1][0]
    sides = [np.unique(kernel, return_inverse=True)[1] for kernel in (first, last)]
    assert (sides[0] != sides[1]).any()
    assert values(model) == [4, 4]


def test_channels_of_their_own(library: Any) -> None:
    model = compiled(library)
    fit(model, ClusteringCallback(Cluster(clusters=2, per="channel", only=("hidden",))))
    hidden = kernels(model)[0]
    assert [len(np.unique(column)) for column in hidden.T] == [2] * 16
    assert len(np.unique(hidden)) == 32


def test_a_second_fit_goes_on_with_the_same_values(library: Any) -> None:
    model, callback = compiled(library), ClusteringCallback(Cluster(clusters=4))
    fit(model, callback, epochs=1)
    before = [np.unique(kernel, return_inverse=True)[1] for kernel in kernels(model)]
    fit(model, callback, epochs=1)
    after = [np.unique(kernel, return_inverse=True)[1] for kernel in kernels(model)]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_restored_weights_share_too(library: Any) -> None:
    model = compiled(library)
    stop = library.callbacks.EarlyStopping(
        monitor="loss", mode="max", patience=1, restore_best_weights=True
    )
    fit(model, stop, ClusteringCallback(Cluster(clusters=4, reassign=2)), epochs=6)
    assert stop.stopped_epoch > 0
    assert values(model) == [4, 4]


def test_averaged_weights_share_too(library: Any) -> None:
    optimizer = library.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    model = compiled(library, optimizer=optimizer)
    fit(model, ClusteringCallback(Cluster(clusters=4, reassign=5)))
    assert values(model) == [4, 4]


def test_mixed_precision(library: Any) -> None:
    model = tiny_models.mixed_precision(library)
    model.compile("adam", "sparse_categorical_crossentropy")
    x = tiny_models.examples(64, 6, 6, 1)
    callback = ClusteringCallback(Cluster(clusters=4))
    model.fit(x, Y, batch_size=BATCH, epochs=1, callbacks=[callback], verbose=0)
    assert values(model) == [4, 4]


def test_a_subclassed_model_is_built_by_its_first_step(library: Any) -> None:
    model = tiny_models.subclassed(library, called=False)
    model.compile("sgd", "mse")
    x, y = tiny_models.examples(32, 5), tiny_models.examples(32, 2)
    callback = ClusteringCallback(Cluster(clusters=2))
    model.fit(x, y, batch_size=8, epochs=1, callbacks=[callback], verbose=0)
    assert values(model) == [2, 2]


def test_nothing_to_share_is_said_loudly(library: Any) -> None:
    with pytest.warns(NothingShared, match="nothing to share in model 'dense': hidden: protected"):
        fit(compiled(library), ClusteringCallback(Cluster(clusters=4, protect=("Dense",))))
    with pytest.warns(NothingShared, match="after 16 steps, but sharing was to begin at step 99"):
        fit(compiled(library), ClusteringCallback(Cluster(clusters=4, begin=99)))


def test_what_it_lacks_stops_the_training(library: Any) -> None:
    with pytest.raises(UsageError, match="max_drop needs measured numbers"):
        fit(compiled(library), ClusteringCallback(Cluster(max_drop=0.1)))
    with pytest.raises(UsageError, match="layers names 'conv'"):
        fit(compiled(library), ClusteringCallback(Cluster(clusters=4, layers={"conv": 8})))


def test_saved_files_are_plain(tmp_path: Path) -> None:
    """Another process without this package loads the models and their values."""
    script = "import sys\nsys.modules['tflite_squeeze'] = None\nimport keras, tf_keras, numpy\n"
    for name, library in LIBRARIES.items():
        model = compiled(library)
        fit(model, ClusteringCallback(Cluster(clusters=4)), epochs=1)
        path = str(tmp_path / f"{name}.keras")
        model.save(path)
        script += f"model = {name}.models.load_model({path!r})\n"
        script += "print(len(numpy.unique(model.get_weights()[0])))\n"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["4", "4"]
