"""Where torch is: in a Python of its own, which the worker runs in."""

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tflite_squeeze.errors import UsageError

VARIABLE = "TFLITE_SQUEEZE_TORCH"
# What `doctor --install torch` installs, and all results here were made with.
VERSIONS = {"torch": "2.13.0", "onnx": "1.23.2", "onnxscript": "0.7.2", "numpy": "2.4.6"}
LITERT_VERSIONS = {"litert-torch": "0.10.0"}
EXECUTORCH_VERSIONS = {"executorch": "1.5.1"}
# Archives of .pt2 have had their form since.
OLDEST = (2, 8)
INSTALL = "tflite-squeeze doctor --install torch"
INSTALL_LITERT = "tflite-squeeze doctor --install litert-torch"
_TIME_LIMIT_S = 60
_ASK = """from importlib.metadata import PackageNotFoundError, version
for name in ("torch", "onnx"):
    try:
        print(version(name), end=" ")
    except PackageNotFoundError:
        break
"""


@dataclass(frozen=True, kw_only=True)
class TorchEnvironment:
    """A Python that has torch.

    Attributes:
        python: the interpreter.
        version: of torch.
    """

    python: Path
    version: str


def own_folder() -> Path:
    """Where `doctor --install torch` puts it: with the user's other data."""
    base = os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()
    return Path(base) / "tflite_squeeze" / "torch"


def python_in(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / "bin" / "python"


def find_torch() -> TorchEnvironment:
    """The Python that `TFLITE_SQUEEZE_TORCH` names, else this one, else doctor's own.

    Raises:
        UsageError: none has torch with onnx beside it, or the named one cannot be used.
    """
    named = os.environ.get(VARIABLE)
    if named:
        python = Path(named).expanduser()
        version, lacks = _looked_at(python)
        if lacks:
            raise UsageError(f"{VARIABLE} is {named}, {lacks}: name another Python, or mend it")
        return TorchEnvironment(python=python, version=version)
    said = ""
    candidates = [Path(sys.executable)] if find_spec("torch") else []
    for python in (*candidates, python_in(own_folder())):
        version, lacks = _looked_at(python)
        if not lacks:
            return TorchEnvironment(python=python, version=version)
        if version:
            said = f" ({python}, {lacks})"
    raise UsageError(
        f"PyTorch networks are read by PyTorch, which is not installed{said}; to install it in an "
        f"environment of its own:",
        command=INSTALL,
    )


def _looked_at(python: Path) -> tuple[str, str]:
    """The version of torch that an interpreter has, and what keeps it from being used, if any."""
    try:
        done = subprocess.run(
            [str(python), "-c", _ASK], capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, timeout=_TIME_LIMIT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "", "which does not run"
    torch, _, onnx = done.stdout.strip().partition(" ")
    if done.returncode or not torch:
        return "", "which has no torch"
    if not _fits(torch):
        return torch, f"whose torch {torch} is older than {'.'.join(map(str, OLDEST))}"
    return torch, "" if onnx else "whose torch has no onnx beside it (pip install onnx onnxscript)"


def _fits(version: str) -> bool:
    numbers = version.split("+")[0].split(".")[:2]
    return all(each.isdigit() for each in numbers) and tuple(map(int, numbers)) >= OLDEST
