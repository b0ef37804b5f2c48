"""The command line run in this process, and files for it to work on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.tiny_models import LIBRARIES, dense, examples
from tflite_squeeze.cli import main
from tflite_squeeze.training import progress


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def refused(self) -> str:
        """The one line of an error that is the user's to mend."""
        assert self.code == 2, (self.out, self.err)
        (line,) = self.err.splitlines()
        assert line.startswith("Error: ")
        assert self.out == ""
        return line


Run = Callable[..., Outcome]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `tflite-squeeze` with arguments, as a shell would."""
    # Whether lines of progress are written depends on how busy the machine is.
    monkeypatch.setattr(progress, "QUIET_SECONDS", float("inf"))

    def run_main(*args: object) -> Outcome:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args])
        out, err = capfd.readouterr()
        return Outcome(code=int(ended.value.code or 0), out=out, err=err)

    return run_main


@dataclass(frozen=True)
class Files:
    """A tiny classifier, its samples with the labels that it finds itself, and its file."""

    model: Path
    data: Path
    tflite: Path


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    from tflite_squeeze.conversion.convert import convert

    folder = tmp_path_factory.mktemp("classifier")
    model, x = dense(LIBRARIES["keras"]), examples(96, 8)
    model.save(folder / "net.keras")
    y = np.argmax(model.predict(x, verbose=0), axis=1)
    np.savez(folder / "data.npz", x=x, y=y)
    (folder / "net.tflite").write_bytes(convert(model, verification=None).tflite)
    return Files(model=folder / "net.keras", data=folder / "data.npz", tflite=folder / "net.tflite")
