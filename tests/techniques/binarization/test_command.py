"""The command `binarize`, and the way from it to a profile."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests import tiny_models
from tests.command_runs import Run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    keras = tiny_models.LIBRARIES["keras"]
    layers = keras.layers
    keras.utils.set_random_seed(0)
    built = keras.Sequential(
        [
            keras.Input((8,), name="x"),
            layers.Dense(32, activation="relu", name="begin"),
            layers.Dense(32, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="scores"),
        ],
        name="wide",
    )
    built.save(tmp_path / "wide.keras")
    x = tiny_models.examples(192, 8)
    y = np.argmax(x[:, :3], axis=1)
    parts = {"x_train": x[:128], "y_train": y[:128], "x_test": x[128:], "y_test": y[128:]}
    np.savez(tmp_path / "data.npz", **parts)
    return tmp_path / "wide.keras"


@pytest.mark.slow
def test_binarize_convert_verify_profile(run: Run, model: Path, tmp_path: Path) -> None:
    data, binary, tflite = tmp_path / "data.npz", tmp_path / "b.h5", tmp_path / "b.tflite"
    saved = tmp_path / "b.json"
    done = run("binarize", model, "-o", binary, "--data", data, "--epochs", 2, "--json", saved)
    assert done.code == 0, done.err
    assert "1 weights of 1 bit" in done.out
    assert "Reordered layers" in done.out
    assert json.loads(saved.read_text())["weights"][0]["name"] == "hidden/kernel"
    done = run("convert", binary, "-o", tflite, "--runtime", "larq", "--data", data)
    assert done.code == 0, done.err
    assert run("verify", binary, tflite, "--data", data).code == 0
    done = run("profile", tflite, "--runs", 2, "--min-seconds", 0, "--json", "-")
    assert json.loads(done.out)["runtime"] == "larq"
    assert "pass --runtime larq" in run("profile", tflite, "--runtime", "litert").refused()


def test_ternary_weights_without_training(run: Run, model: Path, tmp_path: Path) -> None:
    options = ["--weights", "ternary", "--inputs", "float", "--protect", "none", "--epochs", 0]
    done = run("binarize", model, "-o", tmp_path / "ternary.keras", *options)
    assert done.code == 0, done.err
    assert "3 weights of 2 bits" in done.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layer", "hidden"], "--layer is 'hidden': write PATTERN=INPUT"),
        (["--layer", "hidden=signum"], "quantizers are ste_sign"),
        (
            ["--protect", "none", "--protect", "first"],
            "'none' cannot be combined with other patterns",
        ),
        (["--inputs", "float", "--optimizer", "bop"], "optimizer is for Larq's layers"),
        (["--epochs", "3"], "--epochs needs labels to train on"),
        (["--only", "conv_1"], "only names 'conv_1', which matches none of begin"),
    ],
)
def test_wrong_use(run: Run, model: Path, tmp_path: Path, options: list[str], message: str) -> None:
    out = tmp_path / "out.h5"
    assert message in run("binarize", model, "-o", out, *options).refused()
    assert not out.exists()


def test_larq_runtime_without_larq_layers(run: Run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tflite"
    assert "binarize it first" in run("convert", model, "-o", out, "--runtime", "larq").refused()
