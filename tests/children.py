"""Jobs of child processes done in the tests' own process, where a start of Python is not the point.

A child imports NumPy and the runtime for a third of a second, and the tests of a whole run ask for
hundreds. What a child is there for has `own_process`: crashes, limits, memory, the way there and
back. Jobs of other runtimes stay in theirs.
"""

import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tflite_squeeze.runtime import child, process, turns

JOBS = {"run", "cases", "latency", "turns", "operators", "sparsity", "foreign_run",
        "foreign_inputs", "foreign_latency"}  # fmt: skip
wait_for_child = process._wait


def done_here(job: str, folder: Path, time_limit_s: float, runtime: str) -> int:
    """What a child would do with a job, its exit code included."""
    if job not in JOBS:
        return wait_for_child(job, folder, time_limit_s, runtime)
    with _output_into(folder / "chatter"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return child.main(job, folder)
        except Exception:  # noqa: BLE001  # whatever ends a child
            traceback.print_exc(file=sys.__stderr__)
            return 1


@contextmanager
def _output_into(path: Path) -> Iterator[None]:
    """Sends what C code prints into a file as well."""
    kept = [os.dup(number) for number in (1, 2)]
    try:
        with path.open("wb") as file:
            for number in (1, 2):
                os.dup2(file.fileno(), number)
            yield
    finally:
        for number, before in zip((1, 2), kept, strict=True):
            os.dup2(before, number)
            os.close(before)


def do_jobs_here(patch: pytest.MonkeyPatch) -> None:
    """Until it is undone. Turns are short: tests want times, and seldom good ones."""
    patch.setattr(process, "_wait", done_here)
    patch.setattr(child, "_be_a_good_child", lambda: None)
    patch.setattr(turns, "_WARMUP_SECONDS", 0.02)
    patch.setattr(turns, "_TURN_SECONDS", 0.004)


@pytest.fixture(scope="session", autouse=True)
def _jobs_here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        do_jobs_here(patch)
        yield


@pytest.fixture(autouse=True)
def _or_in_a_child(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("own_process"):
        monkeypatch.setattr(process, "_wait", wait_for_child)
