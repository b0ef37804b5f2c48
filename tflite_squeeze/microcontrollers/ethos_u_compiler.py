"""The compiler Vela in a child process: the child's side of `ethos_u`."""

import csv
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.chatter import Chatter, caught_chatter
from tflite_squeeze.errors import RuntimeFailure, UnsupportedError

NOT_INSTALLED = (
    "Vela, the compiler for Ethos-U, is not installed: pip install 'tflite_squeeze[ethos-u]'"
)
_STAYS = re.compile(r"^Warning \(supported operators\) operator: (\S+), ofm: '(.*)'$")
_REASON = re.compile(r"^Reason: (.+)$")


def ethos_u_job(
    path: Path, request: Mapping[str, Any], _arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Compiles a file.

    Args:
        path: the .tflite file.
        request: `accelerator`.
        _arrays: none.

    Returns:
        `vela`: its version; `summary`: its figures by its own names; `reasons`: operator,
        its output and reason, in its order. The array `compiled`: the file for the NPU, as bytes.

    Raises:
        UnsupportedError: Vela is not installed.
        RuntimeFailure: it does not compile the file.
    """
    try:
        from ethosu.vela.vela import main
    except ModuleNotFoundError as error:
        raise UnsupportedError(NOT_INSTALLED) from error
    folder = path.parent / "vela"
    options = ["--accelerator-config", request["accelerator"], "--output-dir", str(folder)]
    said = Chatter()
    try:
        with caught_chatter(said):
            code = main([str(path), *options])
    except RuntimeError as error:  # how its native part refuses a file
        raise RuntimeFailure(f"Vela does not compile this file ({error})") from error
    compiled = folder / f"{path.stem}_vela.tflite"
    if code or not compiled.exists():
        raise RuntimeFailure(f"Vela does not compile this file ({_last(said.lines)})")
    values = {
        "vela": version("ethos-u-vela"),
        "summary": _summary(folder),
        "reasons": reasons_in(said.lines),
    }
    return values, {"compiled": np.frombuffer(compiled.read_bytes(), np.uint8)}


def reasons_in(lines: list[str]) -> list[tuple[str, str, str]]:
    """Operator, name of its output, and reason of everything that Vela leaves to the CPU.

    Args:
        lines: what it printed.

    Example:
        >>> reasons_in(["Warning (supported operators) operator: EXP, ofm: 'y'", "Reason: no"])
        [('EXP', 'y', 'no')]
    """
    found, stays = [], None
    for line in lines:
        reason = _REASON.match(line)
        if reason and stays is not None:
            found.append((stays[1], stays[2], reason[1]))
        stays = _STAYS.match(line) if not reason else None
    return found


def _summary(folder: Path) -> dict[str, str]:
    """The one row of figures that Vela writes."""
    (path,) = folder.glob("*_summary_*.csv")
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file)
    return dict(row)


def _last(lines: list[str]) -> str:
    told = [line.strip() for line in lines if line.strip()]
    return told[-1][:200] if told else "no reason given"
