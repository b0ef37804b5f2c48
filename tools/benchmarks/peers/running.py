"""Runs cases, each in a process of its own, and keeps what they measured in JSON files.

A file is written whole or not at all, so a run that was killed goes on where it stopped. A case
counts as finished when its file says the same arguments and the same versions of all packages.
"""

import importlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import ValidationError

from tflite_squeeze.files.files import write_atomically
from tflite_squeeze.runtime.machine import this_machine

from .cases import CASES, PEERS, Case
from .results import Outcome, Row

SUITE = Path(__file__).resolve().parents[1] / "suite.py"
PACKAGES = (
    "tensorflow",
    "keras",
    "tf-keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "litert-quantizer",
    "larq",
    "larq-compute-engine",
    "numpy",
    "tflite-squeeze",
)
# One thread, whichever library has a pool of its own.
_ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ),
    "1",
)


def versions() -> dict[str, str]:
    """The version of everything that takes part; packages that are missing are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def outcome_path(folder: Path, case: Case) -> Path:
    """Where a case leaves its results."""
    return folder / f"{case.name}.json"


def log_path(folder: Path, case: Case) -> Path:
    """Where what a case prints is kept."""
    return folder / f"{case.name}.log"


def finished(folder: Path, case: Case, *, quick: bool) -> bool:
    """Whether a case needs no run: its file is whole, of these arguments and versions."""
    try:
        outcome = Outcome.model_validate_json(outcome_path(folder, case).read_bytes())
    except (FileNotFoundError, ValidationError):
        return False
    arguments = json.loads(json.dumps(case.called_with(quick=quick)))  # tuples become lists
    return outcome.arguments == arguments and outcome.versions == versions()


def missing(case: Case) -> str | None:
    """The package that a case wants and does not find."""
    needs = PEERS[case.peer].needs
    return needs if needs and needs not in versions() else None


def run_case(folder: Path, case: Case, *, quick: bool) -> bool:
    """Runs one case in a process of its own; whether it left its results.

    What TensorFlow prints goes to a log beside the results.
    """
    command = [sys.executable, str(SUITE), "measure", case.name, "--folder", str(folder)]
    environment = os.environ | _ONE_THREAD | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["TF_USE_LEGACY_KERAS"] = str(int(case.legacy))
    with log_path(folder, case).open("w") as log:
        ended = subprocess.run(
            [*command, *(["--quick"] if quick else [])],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return ended.returncode == 0 and finished(folder, case, quick=quick)


def measure(folder: Path, case: Case, *, quick: bool) -> None:
    """The child's side: calls the case's function and writes what it yields."""
    module, _, function = case.function.partition(":")
    arguments = case.called_with(quick=quick)
    started, clock = datetime.now(UTC), time.perf_counter()
    found = getattr(importlib.import_module(f".{module}", __package__), function)(**arguments)
    rows, notes = _sorted(found)
    outcome = Outcome(
        case=case.name,
        arguments=arguments,
        command=f"python tools/benchmarks/suite.py run --only {case.name}"
        + (" --quick" if quick else ""),
        machine=this_machine().model_dump(),
        versions=versions(),
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - clock, 1),
        rows=rows,
        notes=notes,
    )
    text = outcome.model_dump_json(indent=1) + "\n"
    write_atomically(outcome_path(folder, case), text.encode(), force=True)


def _sorted(found: Iterator[Row | str]) -> tuple[list[Row], list[str]]:
    """Rows, and notes in words, of what a case yields."""
    rows: list[Row] = []
    notes: list[str] = []
    for one in found:
        if isinstance(one, str):
            notes.append(one)
        else:
            rows.append(one)
    return rows, notes


def outcomes(folder: Path) -> list[Outcome]:
    """Whatever a folder holds, in the order of CASES."""
    paths = [outcome_path(folder, case) for case in CASES.values()]
    return [Outcome.model_validate_json(path.read_bytes()) for path in paths if path.exists()]
