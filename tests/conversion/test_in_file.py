"""Weights of a file are pruned and clustered without layers, and biases make up for it."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests import tiny_models
from tests.command_runs import Run
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.conversion.in_file import in_file
from tflite_squeeze.errors import UsageError
from tflite_squeeze.rebuilding.weights_alone import kernels_of
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.sharing.cluster import cluster
from tflite_squeeze.techniques.sharing.config import Cluster

# Far from zero, so that what is lost of the mean is most of what is lost.
IMAGES = 1 + 0.1 * tiny_models.examples(40, 8, 8, 2)


@pytest.fixture(scope="module")
def tflite() -> bytes:
    """Every kind of filter, one behind the other."""
    layers = keras.layers
    keras.utils.set_random_seed(3)
    model = keras.Sequential([
        keras.Input((8, 8, 2), name="image"),
        layers.Conv2D(6, 3, activation="relu", name="first"),
        layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise"),
        layers.Conv2DTranspose(4, 3, name="wider"),
        layers.Flatten(),
        layers.Dense(5, name="scores"),
    ])  # fmt: skip
    return convert(model, verification=None).tflite


def _answers(tflite: bytes) -> Any:
    return next(iter(run_file(tflite, {"image": IMAGES}).outputs.values()))


def test_weights_come_and_go_unchanged(tflite: bytes) -> None:
    names = [one.layer.partition("_")[0] for one in kernels_of(tflite)]
    assert names[:3] == ["first", "depthwise", "wider"]
    changed, record = in_file(prune, tflite, Prune(sparsity=0.0))
    assert _answers(changed) == pytest.approx(_answers(tflite), abs=1e-6)
    assert record.after is None
    assert len(changed) <= len(tflite)


def test_zeros_are_in_the_file_and_biases_make_up_for_them(tflite: bytes) -> None:
    config = Prune(sparsity=0.5, budget="uniform")
    plain, _ = in_file(prune, tflite, config)
    repaired, record = in_file(prune, tflite, config, IMAGES)
    for one in kernels_of(repaired):
        assert np.mean(one.values == 0) == pytest.approx(0.5, abs=0.02)
    wanted = _answers(tflite)
    error = [np.square(_answers(each) - wanted).mean() for each in (plain, repaired)]
    assert error[1] < 0.7 * error[0]
    assert "3 biases were moved" in record.notes[-2]
    assert "bytes" in record.notes[-1]
    assert record.examples == 40


def test_values_are_shared_in_the_file(tflite: bytes) -> None:
    changed, record = in_file(cluster, tflite, Cluster(clusters=4))
    assert all(len(np.unique(one.values)) <= 5 for one in kernels_of(changed))
    assert record.reached


def test_what_is_no_float_file_is_refused() -> None:
    with pytest.raises(UsageError, match="is a Keras model"):
        in_file(prune, tiny_models.dense(keras), Prune(sparsity=0.5))
    flat = keras.Sequential([keras.Input((8,)), keras.layers.Softmax()])
    with pytest.raises(UsageError, match="no float matrix or filter"):
        in_file(prune, convert(flat, verification=None).tflite, Prune(sparsity=0.5))


def test_the_command_writes_a_file(tmp_path: Path, tflite: bytes, run: Run) -> None:
    source, target = tmp_path / "net.tflite", tmp_path / "pruned.tflite"
    source.write_bytes(tflite)
    np.save(tmp_path / "images.npy", IMAGES)
    arguments: tuple[Any, ...] = ("prune", source, "-o", target, "--sparsity", "0.3")
    done = run(*arguments, "--data", tmp_path / "images.npy", "--budget", "uniform")
    assert done.code == 0, done.err
    assert "biases were moved" in done.out
    assert np.mean(kernels_of(target.read_bytes())[0].values == 0) == pytest.approx(0.3, abs=0.01)
    assert "exists: pass --force" in run(*arguments).refused()
    assert "nothing is trained" in run(*arguments, "--force", "--epochs", 2).refused()
    model, other = tmp_path / "net.keras", tmp_path / "x.tflite"
    tiny_models.dense(keras).save(model)
    assert "is a Keras model" in run("prune", model, "-o", other, "--sparsity", "0.3").refused()
    narrowed = run("narrow", source, "-o", other, "--ratio", "0.5")
    assert "cannot be saved as a Keras model" in narrowed.refused()
