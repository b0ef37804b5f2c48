"""Programs of ExecuTorch, by the runtime where it is installed, else by what stands in for it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.onnx_files import weight
from tests.runtime.fake_executorch import BIAS, WEIGHTS
from tests.runtime.runtime_files import named_dense_file
from tflite_squeeze.comparison.compare import compare
from tflite_squeeze.comparison.record import Compare
from tflite_squeeze.errors import RuntimeFailure, UsageError
from tflite_squeeze.foreign.torch.environments import TorchEnvironment, find_torch
from tflite_squeeze.runtime import executorch
from tflite_squeeze.runtime.foreign import foreign_inputs, run_foreign
from tflite_squeeze.runtime.turns import turn_by_turn

HERE = Path(__file__).parent
LINEAR = (HERE / "linear.pte").read_bytes()


def _real() -> TorchEnvironment:
    try:
        found = find_torch()
    except UsageError as error:
        pytest.skip(str(error))
    has = [str(found.python), "-c", "import executorch.extension.pybindings.portable_lib"]
    if subprocess.run(has, capture_output=True, check=False).returncode:
        pytest.skip(f"{found.python} has no ExecuTorch: tflite-squeeze doctor --install executorch")
    return found


@pytest.fixture(params=["stand-in", pytest.param("runtime", marks=pytest.mark.slow)])
def environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "runtime":
        _real()
        return "runtime"
    here = TorchEnvironment(python=Path(sys.executable), version="2.13.0")
    monkeypatch.setattr(executorch, "find_torch", lambda: here)
    monkeypatch.setattr(executorch, "_PROGRAM", HERE / "fake_executorch.py")
    return "stand-in"


@pytest.mark.usefixtures("environment")
def test_answers() -> None:
    x = weight(4, 3)
    (answers,) = run_foreign(LINEAR, {"input_0": x}).values()
    assert answers == pytest.approx(x @ WEIGHTS.T + BIAS, abs=1e-5)
    assert foreign_inputs(LINEAR) == {"input_0": ("float32", (1, 3))}


def test_times_are_taken_over_there(environment: str) -> None:
    run = turn_by_turn({"a": LINEAR}, turns=2)["a"]
    call = turn_by_turn({"a": LINEAR}, turns=2, whole=True)["a"]
    assert np.all(run > 0)
    if environment == "stand-in":
        assert (run.tolist(), call.tolist()) == ([1.0, 1.0], [2.0, 2.0])


@pytest.mark.usefixtures("environment")
def test_side_by_side() -> None:
    files = {"a.tflite": named_dense_file(), "b.pte": LINEAR, "c.pte": LINEAR[:8] + b"damaged"}
    record = compare(files, config=Compare(turns=2))
    _, program, damaged = (file.figures[0] for file in record.files)
    assert program.runtime == damaged.runtime == "executorch"
    assert program.latency_us is not None
    assert program.call_us is not None
    assert "ExecuTorch refuses the file" in damaged.unavailable


@pytest.mark.usefixtures("environment")
def test_a_damaged_program_is_one_line() -> None:
    with pytest.raises(RuntimeFailure, match="ExecuTorch refuses the file"):
        run_foreign(LINEAR[:8] + b"damaged", {"input_0": weight(1, 3)})


def test_without_torch_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFLITE_SQUEEZE_TORCH", str(tmp_path / "python"))
    with pytest.raises(UsageError, match="TFLITE_SQUEEZE_TORCH"):
        run_foreign(LINEAR, {"input_0": weight(1, 3)})
