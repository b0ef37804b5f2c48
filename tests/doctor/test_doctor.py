"""The state of an installation, with proofs that are made up."""

import sys
from pathlib import Path

import pytest

from tflite_squeeze.doctor import doctor
from tflite_squeeze.doctor.doctor import DoctorRecord, Part, examine
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.foreign.torch.environments import TorchEnvironment
from tflite_squeeze.version import __version__


def _no_torch() -> TorchEnvironment:
    raise UsageError("torch is not here:", command="doctor --install torch")


@pytest.fixture(autouse=True)
def _no_data_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        if name == "mnist":
            raise InputError("mnist is not here: run `make data`")

    monkeypatch.setattr(doctor, "load_named_set", load)
    monkeypatch.setattr(doctor, "find_torch", _no_torch)


def _elsewhere(part: Part) -> bool:
    """Whether it is not in this Python."""
    return part.name.startswith(("data set", "PyTorch"))


def _works(program: str) -> tuple[int, str]:
    return 0, ""


def test_everything_works() -> None:
    record = examine(run=_works)
    assert record.healthy
    assert record.version == __version__
    assert record.packages["tensorflow"]
    assert {part.status for part in record.parts if not _elsewhere(part)} == {"works"}
    assert DoctorRecord.model_validate_json(record.model_dump_json()) == record


def test_a_data_set_that_is_missing_says_what_to_do_and_is_optional() -> None:
    record = examine(run=_works)
    (mnist,) = [part for part in record.parts if part.name == "data set mnist"]
    assert (mnist.status, mnist.optional) == ("missing", True)
    assert mnist.hint == "mnist is not here: run `make data`"
    assert record.healthy


@pytest.mark.parametrize(
    ("said", "status", "hint"),
    [
        ("Traceback\nModuleNotFoundError: No module named 'x'\n", "missing", "pip install "),
        ("Traceback\nImportError: libz.so is too old\n\n", "broken", "(ImportError: libz.so"),
        ("", "broken", "(exit code 139)"),
    ],
)
def test_a_part_that_fails_is_told_from_one_that_is_missing(
    said: str, status: str, hint: str
) -> None:
    record = examine(run=lambda program: (139, said))
    assert not record.healthy
    for part in record.parts:
        if not _elsewhere(part):
            assert part.status == status
            assert hint in part.hint


@pytest.mark.parametrize(("program", "healthy"), [("larq", True), ("tf_keras", False)])
def test_only_what_is_needed_makes_it_ill(program: str, healthy: bool) -> None:
    record = examine(run=lambda text: (int(text.startswith(f"import {program}")), "Error: no"))
    assert record.healthy is healthy


def test_a_proof_runs_in_a_python_of_its_own() -> None:
    assert doctor._run("import sys; sys.exit('no' * 2)") == (1, "nono\n")
    assert doctor._run("import os; assert os.environ['TF_USE_LEGACY_KERAS'] == '1'")[0] == 0


def test_a_proof_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_TIME_LIMIT_S", 0.2)
    code, said = doctor._run("import time; time.sleep(30)")
    assert code == 1
    assert said == "no answer within 0.2 s"


def test_torch_is_optional_and_tried_in_its_own_python(monkeypatch: pytest.MonkeyPatch) -> None:
    (missing,) = [part for part in examine(run=_works).parts if "PyTorch" in part.name]
    assert (missing.status, missing.optional) == ("missing", True)
    assert missing.hint == "torch is not here: doctor --install torch"
    here = TorchEnvironment(python=Path(sys.executable), version="2.13.0")
    monkeypatch.setattr(doctor, "find_torch", lambda: here)
    seen = []
    monkeypatch.setattr(doctor, "_run", lambda *asked: (seen.append(asked), (0, ""))[1])
    (found,) = [part for part in examine(run=_works).parts if "PyTorch" in part.name]
    assert (found.name, found.status) == ("PyTorch 2.13.0 (import)", "works")
    assert seen == [("import onnx, torch", sys.executable)]
