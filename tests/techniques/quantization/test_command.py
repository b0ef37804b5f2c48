"""`tflite-squeeze quantize`."""

from pathlib import Path
from typing import Any

import pytest

from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.quantization.twin import is_twin
from tflite_squeeze.techniques.quantization.record import QuantizeRecord


@pytest.mark.slow
def test_a_twin_is_written_and_converts(run: Any, files: Any, tmp_path: Path) -> None:
    out = tmp_path / "quantized.keras"
    outcome = run(
        "quantize", files.model, "-o", out, "--data", files.data, "--weights", "4", "--epochs", "1",
        "--layer", "hidden=w8a16", "--max-drop", "1", "--json", "-",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    record = QuantizeRecord.model_validate_json(outcome.out)
    assert record.config.layers == {"hidden": "w8a16"}
    assert is_twin(load_model(out).model)
    tflite = tmp_path / "quantized.tflite"
    assert run("convert", out, "-o", tflite).code == 0
    assert tflite.stat().st_size


def test_wrong_use(run: Any, files: Any, tmp_path: Path) -> None:
    out = ("-o", tmp_path / "out.keras")
    refused = run("quantize", files.model, *out).refused()
    assert "are calibrated on real samples: pass data" in refused
    assert "'5'" in run("quantize", files.model, *out, "--weights", "5").refused()
    assert "--layer" in run("quantize", files.model, *out, "--layer", "hidden=w5").refused()
    plan = tmp_path / "plan.yaml"
    plan.write_text("weights: {hiden/kernel: {bits: 4, axis: -1}}\n")
    arguments = ("--data", files.data, "--plan", plan)
    assert (
        "the weight 'hiden/kernel', which"
        in run("quantize", files.model, *out, *arguments).refused()
    )
