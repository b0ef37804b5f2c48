"""ONNX files are told from what only has their name, whole or cut short, without a runtime."""

from pathlib import Path

import pytest

from tests.command_runs import Run
from tests.onnx_files import classifier, onnx_model
from tflite_squeeze.errors import InputError
from tflite_squeeze.runtime.kinds import refuse_damaged


def test_a_whole_model_passes_and_no_part_of_it_does(tmp_path: Path, run: Run) -> None:
    content = onnx_model(*classifier()).SerializeToString()
    refuse_damaged(content, "whole.onnx")
    for length in (0, 1, len(content) // 2, len(content) - 1):
        with pytest.raises(InputError, match="no ONNX model"):
            refuse_damaged(content[:length], "part.onnx")
    with pytest.raises(InputError, match="no ONNX model"):
        refuse_damaged(b"a text, not a model", "text.onnx")
    (tmp_path / "part.onnx").write_bytes(content[:-9])
    assert "part.onnx is no ONNX model" in run("compare", *[tmp_path / "part.onnx"] * 2).refused()
