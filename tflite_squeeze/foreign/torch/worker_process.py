"""The conversation with `worker.py`, which runs in the Python that has torch."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError, RuntimeFailure
from tflite_squeeze.foreign.torch.environments import TorchEnvironment

Array = NDArray[Any]
PROGRAM = Path(__file__).with_name("worker.py")


@dataclass(frozen=True, kw_only=True)
class TorchWorker:
    """A running worker.

    Attributes:
        process: it.
        python: what it runs in.
        folder: where files are exchanged.
    """

    process: "subprocess.Popen[str]"
    python: Path
    folder: Path

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer.

        Args:
            do: the name of a method of `worker.Worker`.
            request: its arguments, as JSON can hold them.

        Raises:
            InputError: the worker says that it cannot be done.
            RuntimeFailure: the worker ended.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeFailure(self._why())
        answer: dict[str, Any] = json.loads(line)
        if "refused" in answer:
            raise InputError(answer["refused"])
        return answer

    def run(self, arrays: list[Array]) -> list[Array]:
        """What the network makes of a batch.

        Args:
            arrays: one for each input, in order.

        Raises:
            InputError: the network refuses them.
            RuntimeFailure: the worker ended.
        """
        given: Any = {str(index): array for index, array in enumerate(arrays)}
        np.savez(self.folder / "inputs.npz", **given)
        self.ask("run")
        with np.load(self.folder / "outputs.npz", allow_pickle=False) as data:
            return [data[str(index)] for index in range(len(data.files))]

    def _why(self) -> str:
        code = self.process.wait()
        lines = (self.folder / "chatter").read_text(errors="replace").splitlines()
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        cause = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        said = f"; its last words: {last[:200]}" if last else ""
        return (
            f"the process with torch ended ({cause}{said}): check that {self.python} can import "
            f"torch, and that memory suffices"
        )


@contextmanager
def started(
    environment: TorchEnvironment, folder: Path, *, tensors_alone: bool, program: Path
) -> Iterator[TorchWorker]:
    """A worker, ended with all that it started when the block ends.

    Args:
        environment: the Python to run it in.
        folder: for the files that are exchanged.
        tensors_alone: whether nothing but tensors may be unpickled, whoever asks torch for more.
        program: what it runs.
    """
    # Its own folder is no place to import from.
    variables = {**os.environ, "PYTHONSAFEPATH": "1"}
    if tensors_alone:
        variables["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    with (folder / "chatter").open("wb") as chatter:
        process = subprocess.Popen(
            [str(environment.python), str(program), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=chatter,
            text=True,
            env=variables,
            start_new_session=True,  # its own group, so that one signal reaches its children too
        )
    try:
        yield TorchWorker(process=process, python=environment.python, folder=folder)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
