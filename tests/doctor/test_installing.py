"""An environment with torch: made by pip as asked, or not at all; pip itself is made up."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tflite_squeeze.doctor import installing
from tflite_squeeze.doctor.installing import INSTALLABLE, install, installed
from tflite_squeeze.errors import OutputError
from tflite_squeeze.foreign.torch.environments import own_folder, python_in


class Pip:
    """Notes what would be run; fails where a word is in the command."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.failing = "nothing"

    def __call__(self, python: Path, *arguments: str, quiet: bool = False) -> Any:
        command = " ".join(arguments)
        self.commands.append(command)
        if "venv" in command:
            python_in(own_folder()).parent.mkdir(parents=True, exist_ok=True)
            python_in(own_folder()).touch()
        code = int(self.failing in command)
        return subprocess.CompletedProcess([], code, stdout="2.13.0+cpu\n")


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pip:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(installing, "_python", pip := Pip())
    monkeypatch.setattr(installing.sys, "platform", "linux")
    return pip


def test_the_cpu_build_comes_first_and_every_version_is_pinned(pip: Pip) -> None:
    assert install("torch").version == "2.13.0+cpu"
    venv, cpu, rest, proof = pip.commands
    assert venv.startswith("-m venv --clear ")
    assert cpu.endswith("--index-url https://download.pytorch.org/whl/cpu torch==2.13.0+cpu")
    assert all("==" in word for word in rest.split()[4:])
    assert "litert" not in rest + proof


def test_litert_torch_is_installed_beside_it(pip: Pip) -> None:
    install("litert-torch")
    assert "litert-torch==" in pip.commands[2]
    assert "litert_torch" in pip.commands[3]


def test_executorch_is_installed_beside_it(pip: Pip) -> None:
    install("executorch")
    assert "executorch==" in pip.commands[2]
    assert "portable_lib" in pip.commands[3]


@pytest.mark.parametrize("failing", ["venv", "whl/cpu", "onnxscript==", "import "])
def test_what_fails_leaves_nothing_behind(pip: Pip, failing: str) -> None:
    pip.failing = failing
    with pytest.raises(OutputError, match=r"TFLITE_SQUEEZE_TORCH|cannot be imported"):
        install("torch")
    assert not own_folder().exists()


def test_what_is_there_is_found_and_not_made_again(pip: Pip, run: Any) -> None:
    assert installed("torch") is None
    done = run("doctor", "--install", "torch", "--yes")
    assert (done.code, "is ready in" in done.out) == (0, True)
    assert f"{INSTALLABLE['torch'].disk_mb:,} MB" in done.err
    pip.commands.clear()
    again = run("doctor", "--install", "torch")
    assert "is in" in again.out
    assert not any("venv" in command for command in pip.commands)
    assert run("doctor", "--install", "torch", "--yes", "--force").code == 0
