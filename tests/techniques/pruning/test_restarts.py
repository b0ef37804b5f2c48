"""Trainings that go on: another `fit`, a checkpoint, a backup, an interruption."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.techniques.short_fits import QUICK, Watch, alike, compiled, fit, kernel, zeros
from tests.tiny_models import LIBRARIES
from tflite_squeeze.network.variables import constraint_of
from tflite_squeeze.techniques.pruning.callback import PruningCallback
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.schedules import Polynomial
from tflite_squeeze.training.callback import TargetNotReached

pytestmark = pytest.mark.slow


def test_a_second_fit_goes_on(library: Any) -> None:
    model = compiled(library)
    callback = PruningCallback(alike(sparsity=0.75, schedule=Polynomial(end=16, frequency=2)))
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
    callback = PruningCallback(alike(sparsity=0.75, schedule=QUICK))
    for _ in range(2):
        model = compiled(library)
        watch = Watch()
        fit(model, callback, watch.callback(library))
        assert watch.masks[0].all()
        assert zeros(model) == [96, 36]


def test_an_interrupted_training_leaves_nothing_behind_for_the_next(library: Any) -> None:
    model = compiled(library)
    callback = PruningCallback(alike(sparsity=0.75, schedule=QUICK))

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
    config = alike(sparsity=0.75, schedule=Polynomial(end=20, frequency=2))
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
    config = alike(sparsity=0.75, schedule=Polynomial(end=16, frequency=4))
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
    callback = PruningCallback(alike(sparsity=0.75, schedule=QUICK))
    fit(model, callback, watch.callback(library), epochs=3, initial_epoch=2)
    assert [int(np.sum(~mask)) for mask in watch.masks] == [96] * 8


def test_saved_files_are_plain(tmp_path: Path) -> None:
    """Another process without this package loads the models and their zeros."""
    script = "import sys\nsys.modules['tflite_squeeze'] = None\nimport keras, tf_keras\n"
    for name, library in LIBRARIES.items():
        model = compiled(library)
        fit(model, PruningCallback(alike(sparsity=0.75, schedule=QUICK)), epochs=1)
        path = str(tmp_path / f"{name}.keras")
        model.save(path)
        script += f"model = {name}.models.load_model({path!r})\n"
        script += "print((model.get_weights()[0] == 0).sum(), model.layers[-1].kernel.constraint)\n"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["96", "None"] * 2
