"""`tflite-squeeze entropy`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.save import save_model
from tflite_squeeze.techniques.entropy.record import EntropyRecord


@pytest.mark.slow
@pytest.mark.parametrize("flavor", LIBRARIES)
def test_both_versions_of_keras(run: Any, files: Any, tmp_path: Path, flavor: str) -> None:
    source, out = tmp_path / "net.keras", tmp_path / "few.keras"
    save_model(tiny_models.dense(LIBRARIES[flavor]), source)
    outcome = run(
        "entropy", source, "-o", out, "--data", files.data, "--penalty", "2", "--ramp", "0.1",
        "--epochs", "4", "--batch-size", "8", "--only", "hidden", "--json", "-", "--max-drop", "1",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    record = EntropyRecord.model_validate_json(outcome.out)
    assert (record.config.penalty, record.config.only) == (2.0, ("hidden",))
    kernel = load_model(out).model.layers[0].get_weights()[0]
    integers = kernel / np.float32(record.weights[0].steps[0])
    np.testing.assert_array_equal(integers, np.rint(integers))


@pytest.mark.slow
def test_a_target_that_is_missed_is_refused(run: Any, files: Any, tmp_path: Path) -> None:
    out = tmp_path / "few.keras"
    options = ("--data", files.data, "--target-bytes", "1", "--epochs", "1", "--max-drop", "1")
    outcome = run("entropy", files.model, "-o", out, *options)
    assert outcome.code == 1
    assert "and 1 were asked for: train for longer, or ask for more bytes" in outcome.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ((), "entropy-penalized training is training: pass labelled --data"),
        (("--epochs", "0"), "--epochs is 0, but entropy-penalized training is training"),
        (("--penalty", "0"), "'--penalty': 0.0 is not in the range x>0"),
    ],
)
def test_wrong_use(
    run: Any, files: Any, tmp_path: Path, options: tuple[str, ...], line: str
) -> None:
    assert line in run("entropy", files.model, "-o", tmp_path / "out.keras", *options).refused()
