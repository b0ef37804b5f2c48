"""The command writes a checked file, and refuses in one line."""

from pathlib import Path

import pytest

from tests.command_runs import Files, Run
from tflite_squeeze.exporting import checking
from tflite_squeeze.exporting.record import OnnxExportRecord


@pytest.fixture(autouse=True)
def _evaluated_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "find_spec", lambda _: None)


def test_a_float_file(files: Files, tmp_path: Path, run: Run) -> None:
    target, record = tmp_path / "net.onnx", tmp_path / "net.json"
    done = run("export", "onnx", files.model, "-o", target, "--json", record)
    assert done.code == 0, done.err
    assert "computes what the model does" in done.out
    assert "batches 1 and 16" in done.out
    kept = OnnxExportRecord.model_validate_json(record.read_text())
    assert kept.raw_bytes == target.stat().st_size
    assert run("import", target, "-o", tmp_path / "net.keras").code == 0


def test_an_int8_file(files: Files, tmp_path: Path, run: Run) -> None:
    target = tmp_path / "net.onnx"
    options = ("--quantize", "int8", "--data", files.data)
    done = run("export", "onnx", files.model, "-o", target, *options)
    assert done.code == 0, done.err
    assert "computes what the .tflite file does" in done.out
    assert "mean |Δ| (steps)" in done.out


def test_refusals(files: Files, tmp_path: Path, run: Run) -> None:
    target = tmp_path / "net.onnx"
    export = ("export", "onnx", files.model, "-o")
    assert "end it in .onnx" in run(*export, tmp_path / "net.tflite").refused()
    assert "pass --data" in run(*export, target, "--quantize", "int8").refused()
    failed = run(*export, target, "--tolerance", "1e-12")
    assert failed.code == 1
    assert "raise --tolerance" in failed.err
    assert not target.exists()
