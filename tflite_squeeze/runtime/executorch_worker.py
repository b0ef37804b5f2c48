"""The side of ExecuTorch: a program for a Python that has it, which need not have this package.

It reads requests from standard input, one line of JSON each, and answers each with one line;
`tflite_squeeze.runtime.executorch` is the other side. Arrays go through the folder that it is
started in.
"""

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

# PyTorch's numbers of types.
_TYPES = {
    0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 5: "float16", 6: "float32",
    7: "float64", 11: "bool",
}  # fmt: skip
_METHOD = "forward"


class Refused(Exception):  # noqa: N818  # the message is for the user
    """What cannot be done; the message says why and what to do."""


class Worker:
    """A program and its inputs.

    Attributes:
        folder: where files are exchanged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._content = b""
        self._module: Any = None
        self._arrays: list[Any] = []

    def load(self, threads: int) -> dict[str, Any]:
        """Opens the program."""
        try:
            from executorch.extension.pybindings import portable_lib
        except ImportError as error:
            raise Refused(
                f"running .pte files needs ExecuTorch, which {sys.executable} does not have: "
                f"tflite-squeeze doctor --install executorch"
            ) from error
        portable_lib._unsafe_reset_threadpool(threads)
        self._content = (self.folder / "model.pte").read_bytes()  # which is not copied
        try:
            self._module = portable_lib._load_for_executorch_from_buffer(self._content)
            meta = self._module.method_meta(_METHOD)
            inputs = [meta.input_tensor_meta(index) for index in range(meta.num_inputs())]
        except (RuntimeError, ValueError) as error:
            raise Refused(
                f"ExecuTorch refuses the file ({str(error).splitlines()[0][:200]}): export it "
                f"again by the version that is installed"
            ) from error
        return {"inputs": [[_TYPES.get(one.dtype(), "?"), *one.sizes()] for one in inputs]}

    def run(self) -> dict[str, Any]:
        """Runs on each of the stacked arrays of the folder."""
        with np.load(self.folder / "inputs.npz", allow_pickle=False) as data:
            stacks = [data[str(index)] for index in range(len(data.files))]
        found = []
        for arrays in zip(*stacks, strict=True):
            self._arrays = [np.ascontiguousarray(one) for one in arrays]
            found.append([np.array(one) for one in self._call()])
        columns = enumerate(zip(*found, strict=True))
        answers: Any = {str(index): np.stack(column) for index, column in columns}
        np.savez(self.folder / "outputs.npz", **answers)
        return {}

    def time(self, *, whole: bool, runs: int, min_seconds: float) -> dict[str, Any]:
        """Times calls on the arrays of the last run, with the garbage collector off."""
        call = self._call if whole else lambda: self._module.plan_execute(_METHOD)
        times: list[float] = []
        gc.disable()
        try:
            end = time.perf_counter_ns()
            deadline = end + int(min_seconds * 1e9)
            while len(times) < runs or end < deadline:
                begin = time.perf_counter_ns()
                call()
                end = time.perf_counter_ns()
                times.append((end - begin) / 1e3)
        finally:
            gc.enable()
        return {"times_us": times}

    def _call(self) -> list[Any]:
        given = tuple(torch.from_numpy(array) for array in self._arrays)
        return [one.numpy() for one in self._module.run_method(_METHOD, given)]


def main(folder: Path) -> None:
    """Answers requests until there are no more."""
    # What the runtime prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(folder)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Refused as refused:
            answer = {"refused": str(refused)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
