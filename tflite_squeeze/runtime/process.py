"""Jobs in a child process: a file that crashes the runtime causes one clear error and no more.

The parent's side; `tflite_squeeze.runtime.child` is the other. Both meet in a temporary folder
that holds the file, the request and, afterwards, the answer.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze import errors
from tflite_squeeze.errors import RuntimeFailure, SqueezeError, shortened
from tflite_squeeze.files.temporary import temporary_folder

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a job in a child process returned.

    Attributes:
        values: anything that JSON can hold.
        arrays: named arrays.
    """

    values: dict[str, Any]
    arrays: Arrays


def run_in_child(
    job: str,
    tflite: bytes,
    request: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]] | None = None,
    *,
    time_limit_s: float,
    runtime: str = "LiteRT",
) -> Answer:
    """Runs one job on a .tflite file in a child process and waits for its answer.

    Args:
        job: a name in `tflite_squeeze.runtime.child.JOBS`.
        tflite: the file's content.
        request: the job's arguments, as JSON can hold them.
        arrays: its arrays, by name.
        time_limit_s: seconds after which the child is killed.
        runtime: the name of the runtime that does it, for messages.

    Returns:
        What the job returned.

    Raises:
        SqueezeError: what the job itself raised.
        RuntimeFailure: the child crashed, took too long, or failed otherwise.
    """
    with temporary_folder() as folder:
        (folder / "model.tflite").write_bytes(tflite)
        write_message(folder / "request", request, arrays or {})
        code = _wait(job, folder, time_limit_s, runtime)
        if (folder / "error.json").exists():
            raise raised(json.loads((folder / "error.json").read_text()))
        if code != 0 or not (folder / "answer.json").exists():
            raise RuntimeFailure(_why(code, (folder / "chatter").read_bytes(), runtime))
        return read_message(folder / "answer")


def write_message(stem: Path, values: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Writes values and arrays as `stem`.npz and `stem`.json, the latter last."""
    # Names of tensors make bad names of zip members, so the members are numbered.
    numbered: Any = {str(index): array for index, array in enumerate(arrays.values())}
    np.savez(stem.with_suffix(".npz"), **numbered)
    text = json.dumps({"values": dict(values), "arrays": list(arrays)})
    stem.with_suffix(".json").write_text(text)


def read_message(stem: Path) -> Answer:
    """Reads what `write_message` wrote."""
    message = json.loads(stem.with_suffix(".json").read_text())
    with np.load(stem.with_suffix(".npz"), allow_pickle=False) as data:
        arrays = {name: data[str(index)] for index, name in enumerate(message["arrays"])}
    return Answer(values=message["values"], arrays=arrays)


def environment_of_children() -> dict[str, str]:
    """The environment in which a child finds modules where its parent does.

    With `python -P` it finds none in the folder that it is started in.
    """
    paths = [str(Path(path).resolve()) for path in sys.path if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _wait(job: str, folder: Path, time_limit_s: float, runtime: str) -> int:
    """Starts the child, waits, and kills it with all it started if anything interrupts that."""
    environment = {
        **environment_of_children(),
        "OPENBLAS_NUM_THREADS": "1",  # NumPy's idle threads would count as the file's memory
    }
    command = [sys.executable, "-P", "-m", "tflite_squeeze.runtime.child", job, str(folder)]
    with (folder / "chatter").open("wb") as chatter:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=chatter,
            stderr=chatter,
            cwd=folder,
            env=environment,
            start_new_session=True,  # its own group, so that one signal reaches its children too
        )
        try:
            return child.wait(timeout=time_limit_s)
        except subprocess.TimeoutExpired as error:
            raise RuntimeFailure(
                f"the {runtime} runtime did not finish this file within {time_limit_s:g} s: "
                f"raise the time limit, or check the file for an endless loop"
            ) from error
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def raised(error: Mapping[str, str]) -> SqueezeError:
    """The error that a child raised, with its own class.

    Args:
        error: its "kind" and "message".
    """
    kind = getattr(errors, error["kind"])
    found: SqueezeError = kind(error["message"])
    return found


def _why(code: int, chatter: bytes, runtime: str = "LiteRT") -> str:
    """One line on why a child ended without an answer."""
    lines = [line.strip() for line in chatter.decode(errors="replace").splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    said = f"; its last message: {shortened(last)}" if last else ""
    if code < 0:
        name = signal.Signals(-code).name
        cause = "crashed"
        if name == "SIGKILL":
            cause = "was killed, most likely because memory ran out,"
        return (
            f"the {runtime} runtime {cause} ({name}) on this file: it is damaged, or uses what "
            f"this runtime cannot do{said}"
        )
    return f"the {runtime} runtime failed on this file: it is damaged, or not supported{said}"
