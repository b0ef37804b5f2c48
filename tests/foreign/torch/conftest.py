"""torch, or what stands in for it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tflite_squeeze.errors import UsageError
from tflite_squeeze.foreign.torch import importing
from tflite_squeeze.foreign.torch.environments import TorchEnvironment, find_torch

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def torch_python() -> Path:
    """A Python with torch; without one the test is skipped, and says how to get it."""
    try:
        return find_torch().python
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts the stand-in in the worker's place; its argument says how it misbehaves."""

    def put(way: str = "", **variables: str) -> None:
        here = TorchEnvironment(python=Path(sys.executable), version="2.13.0")
        monkeypatch.setattr(importing, "find_torch", lambda: here)
        monkeypatch.setattr(importing, "PROGRAM", HERE / "fake_worker.py")
        monkeypatch.setenv("FAKE_WORKER", way)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A Python file with a function, in the working folder."""
    (tmp_path / "model.py").write_text("def build():\n    raise AssertionError\n")
    monkeypatch.chdir(tmp_path)
    return "model.py:build"
