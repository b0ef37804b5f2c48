"""What TensorFlow prints as it is imported reaches nobody: each command in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.conversion.convert import convert


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "net.keras", "net.tflite", "--data", "data.npz"),
        ("tune", "net.keras", "-o", "best", "--trials", "0", "--data", "data.npz"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_nothing_but_what_the_command_says(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    model = tiny_models.dense(keras)
    model.save(tmp_path / "net.keras")
    (tmp_path / "net.tflite").write_bytes(convert(model, verification=None).tflite)
    np.savez(tmp_path / "data.npz", x=tiny_models.examples(40, 8), y=np.arange(40) % 3)
    plain = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    ended = subprocess.run(
        [sys.executable, "-m", "tflite_squeeze", *arguments],
        cwd=tmp_path, env=plain, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    for part in ("absl::", "oneDNN", "cuda", "Warning"):
        assert part not in ended.stderr
