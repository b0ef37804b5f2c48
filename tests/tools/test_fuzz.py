"""The fuzz targets: what they found once stays fixed, and breaking the rules is seen."""

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FUZZ = Path(__file__).resolve().parents[2] / "tools" / "fuzz"
FOUND = sorted((Path(__file__).parent / "fuzz_found").iterdir())


@pytest.fixture(scope="module")
def worker() -> Iterator[Any]:
    """What runs in the processes, which lies beside the script."""
    sys.path.insert(0, str(FUZZ))
    try:
        import worker

        yield worker
    finally:
        sys.path.remove(str(FUZZ))


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.stem)
def test_what_was_found_once_is_fixed(worker: Any, work: Path, file: Path) -> None:
    path = Path(shutil.copy(file, work / f"input{file.suffix}"))
    target = worker.TARGETS[file.name.split("-")[0]]
    outcome = worker.outcome(target, path, work)
    assert outcome["result"] == "refused"
    assert outcome["problem"] == ""


def breaks(kind: str) -> Any:
    from tflite_squeeze.errors import InputError

    def attempt(path: Path, _folder: Path) -> object:
        if kind == "crash":
            raise ZeroDivisionError
        if kind == "file":
            path.with_suffix(".left").write_bytes(b"")
        if kind == "lines":
            error = InputError("")
            error.args = ("two\nlines",)
            raise error
        return None

    return attempt


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("none", ""),
        ("crash", "ZeroDivisionError"),
        ("file", "files were left"),
        ("lines", "9 char"),
    ],
)
def test_breaking_the_rules_is_seen(worker: Any, work: Path, kind: str, problem: str) -> None:
    (work / "input.bin").write_bytes(b"x")
    target = worker.Target(lambda folder: [], lambda data, rng: data, breaks(kind))
    said = worker.outcome(target, work / "input.bin", work)["problem"]
    assert problem in said if problem else not said


def test_the_same_seed_gives_the_same_changes(worker: Any) -> None:
    data = b"name: r\nsteps: []\n"
    change = worker.TARGETS["recipe"].change
    made = [change(data, random.Random(seed)) for seed in range(20)]
    assert made == [change(data, random.Random(seed)) for seed in range(20)]
    assert len(set(made)) > 10


def test_the_command_tries_and_counts(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(FUZZ / "run.py"), "--target", "recipe", "--inputs", "5"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "5 inputs, 0 found"
