"""What is installed, and which optional parts really work here."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Literal

from tflite_squeeze.data.named_sets import NAMED_SETS, load_named_set
from tflite_squeeze.errors import InputError, UsageError, shortened
from tflite_squeeze.foreign.torch.environments import find_torch
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.version import __version__

_PACKAGES = (
    "tensorflow", "keras", "tf-keras", "ai-edge-litert", "tensorflow-model-optimization", "larq",
    "larq-compute-engine", "numpy", "pydantic", "click", "rich", "matplotlib", "flatbuffers",
    "onnx", "onnxruntime", "tflite-micro", "ethos-u-vela",
)  # fmt: skip
_TIME_LIMIT_S = 180

# Part → (program that proves that it works, what to do when it does not, whether it is optional).
_PROOFS = {
    "Keras 3": ("import keras; keras.layers.Dense(1)", "pip install keras", False),
    "tf_keras": ("import tf_keras; tf_keras.layers.Dense(1)", "pip install tf-keras", False),
    "TFLite converter": ("import tensorflow as t; t.lite.TFLiteConverter", "pip install tensorflow",
                         False),
    "LiteRT runtime": ("from ai_edge_litert.interpreter import Interpreter",
                       "pip install ai-edge-litert", False),
    "Larq (binarized networks)": ("import larq", "pip install larq", True),
    "Larq Compute Engine": ("import larq_compute_engine", "pip install larq-compute-engine", True),
    "ONNX (import, export)": ("import onnx.reference, tf2onnx", "pip install tflite_squeeze[onnx]",
                              True),
    "ONNX Runtime": ("import onnxruntime", "pip install tflite_squeeze[onnxruntime]", True),
    "TFLM (microcontrollers)": ("from tflite_micro.python.tflite_micro import runtime",
                                "pip install tflite_squeeze[micro]", True),
    "Vela (Ethos-U)": ("import ethosu.vela", "pip install tflite_squeeze[ethos-u]", True),
}  # fmt: skip

Status = Literal["works", "missing", "broken"]


class Part(Frozen):
    """One part and whether it works.

    Attributes:
        name: what it is.
        status: "works", "missing" (not installed), or "broken" (installed, but fails).
        optional: whether conversion works without it.
        hint: the remedy; empty when it works.
    """

    name: str
    status: Status
    optional: bool
    hint: str = ""


class DoctorRecord(Displayed):
    """The state of an installation.

    Attributes:
        version: version of this package.
        python: version of Python.
        system: operating system and machine.
        cpus: processors that this process may use.
        packages: version by package; None where it is not installed.
        parts: what works.
    """

    tables_by = ".tables:doctor_tables"

    version: str
    python: str
    system: str
    cpus: int
    packages: dict[str, str | None]
    parts: tuple[Part, ...]

    @property
    def healthy(self) -> bool:
        """Whether all required parts work."""
        return all(part.status == "works" or part.optional for part in self.parts)


def examine(*, run: Callable[[str], tuple[int, str]] | None = None) -> DoctorRecord:
    """Tries every part, each in a process of its own.

    Args:
        run: program → exit code and its output; a Python process by default.

    Returns:
        What was found.
    """
    prove = run or _run
    parts = [
        *(_examined(name, *proof, prove=prove) for name, proof in _PROOFS.items()),
        _torch(),
        *map(_data_set, NAMED_SETS),
    ]
    return DoctorRecord(
        version=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        packages=package_versions(),
        parts=tuple(parts),
    )


def package_versions() -> dict[str, str | None]:
    """The version of every package that results may depend on; None where it is not installed."""
    return {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _run(program: str, python: str = sys.executable) -> tuple[int, str]:
    """Runs a program as Larq needs it: with tf_keras behind `tf.keras`."""
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            [python, "-c", program],
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=_TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, f"no answer within {_TIME_LIMIT_S} s"
    return done.returncode, done.stderr


def _examined(
    name: str,
    program: str,
    remedy: str,
    optional: bool,
    *,
    prove: Callable[[str], tuple[int, str]],
) -> Part:
    code, said = prove(program)
    if code == 0:
        return Part(name=name, status="works", optional=optional)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else f"exit code {code}"
    if last.startswith("ModuleNotFoundError"):
        return Part(name=name, status="missing", optional=optional, hint=remedy)
    return Part(name=name, status="broken", optional=optional, hint=f"{remedy} ({shortened(last)})")


def _torch() -> Part:
    """torch, which is most often in an environment of its own."""
    name = "PyTorch (import)"
    try:
        found = find_torch()
    except UsageError as error:
        return Part(name=name, status="missing", optional=True, hint=str(error))
    return _examined(
        f"PyTorch {found.version} (import)", "import onnx, torch", f"mend {found.python}", True,
        prove=lambda program: _run(program, str(found.python)),
    )  # fmt: skip


def _data_set(name: str) -> Part:
    try:
        load_named_set(name)
    except InputError as error:
        return Part(name=f"data set {name}", status="missing", optional=True, hint=str(error))
    return Part(name=f"data set {name}", status="works", optional=True)
