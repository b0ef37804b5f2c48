"""Which Python the worker runs in."""

import sys
from pathlib import Path

import pytest

from tflite_squeeze.errors import UsageError
from tflite_squeeze.foreign.torch import environments
from tflite_squeeze.foreign.torch.environments import VARIABLE, find_torch, own_folder, python_in


def interpreter(path: Path, said: str) -> Path:
    """A program that answers as a Python with some versions does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nprintf '%s' '{said}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(environments, "find_spec", lambda name: None)
    return tmp_path


def test_nothing_is_one_line_with_the_command(data_home: Path) -> None:
    with pytest.raises(UsageError, match=r"own: tflite-squeeze doctor --install torch$"):
        find_torch()


def test_the_one_of_doctor_is_found(data_home: Path) -> None:
    python = interpreter(python_in(own_folder()), "2.13.0+cpu 1.23.2 ")
    assert own_folder() == data_home / "tflite_squeeze" / "torch"
    assert (find_torch().python, find_torch().version) == (python, "2.13.0+cpu")


def test_this_python_comes_before_it_if_its_torch_fits(
    data_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter(python_in(own_folder()), "2.13.0 1.23.2 ")
    monkeypatch.setattr(environments, "find_spec", lambda name: object())
    monkeypatch.setattr(sys, "executable", str(interpreter(data_home / "here", "2.9.1 1.20 ")))
    assert find_torch().version == "2.9.1"
    interpreter(data_home / "here", "2.1.0 1.20 ")
    assert find_torch().version == "2.13.0"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("2.7.1 1.20 ", r"torch 2\.7\.1 is older than 2\.8"),
        ("2.13.0 ", "no onnx beside it"),
    ],
)
def test_what_does_not_fit_is_said(
    data_home: Path, monkeypatch: pytest.MonkeyPatch, said: str, why: str
) -> None:
    interpreter(python_in(own_folder()), said)
    with pytest.raises(UsageError, match=rf"{why}.*doctor --install torch$"):
        find_torch()
    monkeypatch.setenv(VARIABLE, str(python_in(own_folder())))
    with pytest.raises(UsageError, match=rf"^{VARIABLE} is .*{why}"):
        find_torch()


def test_the_variable_names_it(data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(interpreter(data_home / "mine", "2.14.1 1.23 ")))
    assert find_torch().version == "2.14.1"
    for name, said in (("none", "does not run"), (str(data_home), "does not run")):
        monkeypatch.setenv(VARIABLE, name)
        with pytest.raises(UsageError, match=said):
            find_torch()


def test_this_python_is_really_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, sys.executable)
    if environments.find_spec("torch") is None:
        with pytest.raises(UsageError, match="no torch"):
            find_torch()
