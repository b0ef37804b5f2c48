"""`tflite-squeeze l0`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.save import save_model
from tflite_squeeze.techniques.l0.record import L0Record


@pytest.mark.slow
@pytest.mark.parametrize("flavor", LIBRARIES)
def test_both_versions_of_keras(run: Any, files: Any, tmp_path: Path, flavor: str) -> None:
    source, out = tmp_path / "net.keras", tmp_path / "sparse.keras"
    save_model(tiny_models.dense(LIBRARIES[flavor]), source)
    outcome = run(
        "l0", source, "-o", out, "--data", files.data, "--lam", "100", "--settle", "0.25",
        "--gate-learning-rate", "0.5", "--epochs", "8", "--batch-size", "8", "--only", "hidden",
        "--json", "-", "--max-drop", "1",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    record = L0Record.model_validate_json(outcome.out)
    assert (record.config.lam, record.config.only) == (100.0, ("hidden",))
    kernel = load_model(out).model.layers[0].get_weights()[0]
    assert int(np.sum(kernel == 0)) == record.weights[0].zeros_after > 0


@pytest.mark.slow
def test_no_zeros_are_told(run: Any, files: Any, tmp_path: Path) -> None:
    out = tmp_path / "sparse.keras"
    options = ("--data", files.data, "--lam", "0", "--epochs", "1", "--max-drop", "1")
    outcome = run("l0", files.model, "-o", out, *options)
    assert (outcome.code, outcome.err) == (0, "")
    last = outcome.out.splitlines()[-1]
    assert last == f"{out}: 0.00% zeros in 2 weights; raise --lam, or train for more epochs"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ((), "L0 regularization is training: pass labelled --data"),
        (("--epochs", "0"), "--epochs is 0, but L0 regularization is training: give at least 1"),
        (("--epochs", "2"), "--epochs needs labels to train on: pass labelled --data"),
        (("--lam", "-1"), "'--lam': -1.0 is not in the range x>=0"),
    ],
)
def test_wrong_use(
    run: Any, files: Any, tmp_path: Path, options: tuple[str, ...], line: str
) -> None:
    assert line in run("l0", files.model, "-o", tmp_path / "out.keras", *options).refused()
