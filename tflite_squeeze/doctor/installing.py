"""`doctor --install`: what needs an environment of its own, made in one command."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tflite_squeeze.errors import OutputError, shortened
from tflite_squeeze.foreign.torch.environments import (
    EXECUTORCH_VERSIONS,
    LITERT_VERSIONS,
    VARIABLE,
    VERSIONS,
    TorchEnvironment,
    own_folder,
    python_in,
)

# Where the builds without CUDA are, which PyPI has for macOS alone.
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True, kw_only=True)
class Installable:
    """What can be installed.

    Attributes:
        versions: what pip is asked for.
        download_mb: how much is downloaded, on Linux with x86-64.
        disk_mb: how much it takes.
        modules: what can be imported then.
    """

    versions: dict[str, str]
    download_mb: int
    disk_mb: int
    modules: str = "onnxscript, torch"


INSTALLABLE = {
    "torch": Installable(versions=VERSIONS, download_mb=230, disk_mb=1010),
    "litert-torch": Installable(
        versions={**VERSIONS, **LITERT_VERSIONS},
        download_mb=520,
        disk_mb=2140,
        modules="litert_torch, onnxscript, torch",
    ),
    "executorch": Installable(
        versions={**VERSIONS, **EXECUTORCH_VERSIONS},
        download_mb=330,
        disk_mb=1600,
        modules="executorch.extension.pybindings.portable_lib, onnxscript, torch",
    ),
}


def installed(what: str) -> TorchEnvironment | None:
    """The environment where it is there already.

    Args:
        what: a key of `INSTALLABLE`.
    """
    python = python_in(own_folder())
    if not python.exists():
        return None
    modules = INSTALLABLE[what].modules
    done = _python(python, "-c", f"import {modules}; print(torch.__version__)", quiet=True)
    if done.returncode:
        return None
    return TorchEnvironment(python=python, version=done.stdout.split()[-1])


def install(what: str, *, anew: bool = False) -> TorchEnvironment:
    """Makes the environment, or adds to it; pip writes its progress to standard error.

    What was installed before stays, also where this fails.

    Args:
        what: a key of `INSTALLABLE`.
        anew: whether an environment that is there is thrown away first.

    Raises:
        OutputError: it cannot be made.
    """
    folder, whole = own_folder(), False
    python = python_in(folder)
    pip = ("-m", "pip", "install", "--disable-pip-version-check")
    before = [] if anew else [part for part in INSTALLABLE if installed(part) is not None]
    versions: dict[str, str] = {}
    for part in (*before, what):
        versions |= INSTALLABLE[part].versions
    torch = f"torch=={versions['torch']}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not before:
            _do(Path(sys.executable), "-m", "venv", "--clear", str(folder))
        if sys.platform == "linux" and not before:
            _do(python, *pip, "--no-deps", "--retries", "1", "--index-url", CPU_INDEX,
                f"{torch}+cpu")  # fmt: skip
        _do(python, *pip, *(f"{name}=={version}" for name, version in versions.items()))
        found = installed(what)
        if found is None:
            raise OutputError(f"{what} was installed in {folder}, but cannot be imported there")
        whole = True
        return found
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror or error}") from error
    finally:
        if not whole and not before:
            shutil.rmtree(folder, ignore_errors=True)


def _do(python: Path, *arguments: str) -> None:
    done = _python(python, *arguments)
    if done.returncode:
        command = shortened(" ".join((python.name, *arguments)))
        raise OutputError(
            f"{command} failed, as it says above: mend that, or "
            f"set {VARIABLE} to a Python that has torch and onnx"
        )


def _python(
    python: Path, *arguments: str, quiet: bool = False
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(python), *arguments], check=False, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else sys.stderr.fileno(),
        stderr=subprocess.DEVNULL if quiet else None,
    )  # fmt: skip
