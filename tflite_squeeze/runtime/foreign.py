"""Files of other runtimes run and timed, in child processes as `.tflite` files are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.runtime import executorch, onnx
from tflite_squeeze.runtime.executorch import ExecutorchSession
from tflite_squeeze.runtime.kinds import EXECUTORCH, ONNX, kind_of
from tflite_squeeze.runtime.latency import timed_session
from tflite_squeeze.runtime.onnx import OnnxSession
from tflite_squeeze.runtime.process import run_in_child
from tflite_squeeze.runtime.runner import batch_of, chunks, examples_in, fitted, joined

Array = NDArray[Any]
Arrays = Mapping[str, Array]

# What the runtimes are called.
NAMES = {ONNX: onnx.RUNTIME, EXECUTORCH: executorch.RUNTIME}


def opened(content: bytes, *, threads: int = 1) -> OnnxSession | ExecutorchSession:
    """A file in its runtime.

    Args:
        content: of a file that is no `.tflite` file.
        threads: threads for the kernels.

    Raises:
        UsageError: the runtime is not installed.
        RuntimeFailure: it refuses the file.
    """
    kind = ExecutorchSession if kind_of(content) == EXECUTORCH else OnnxSession
    return kind(content, threads=threads)


def run_foreign(
    content: bytes,
    inputs: Arrays,
    *,
    batch: int = 1,
    threads: int = 1,
    time_limit_s: float = 600.0,
) -> dict[str, Array]:
    """Runs a file of another runtime on N examples in a child process.

    Args:
        content: of an ONNX model, or of a program of ExecuTorch.
        inputs: (N, ...) by the names of its inputs.
        batch: how many examples each run takes, where the file leaves that open.
        threads: threads for the kernels.
        time_limit_s: time limit of the run in seconds.

    Returns:
        Outputs by name, (N, ...).

    Raises:
        UsageError: the runtime is not installed.
        InputError: names, shapes or types do not match.
        RuntimeFailure: the runtime refused the file, crashed on it, or took too long.

    Example:
        >>> run_foreign(Path("model.onnx").read_bytes(), {"image": x})["scores"].shape
        (16, 10)
    """
    arrays = {name: np.asarray(array) for name, array in inputs.items()}
    return run_in_child(
        "foreign_run", content, {"threads": threads, "batch": batch}, arrays,
        time_limit_s=time_limit_s, runtime=NAMES[kind_of(content)],
    ).arrays  # fmt: skip


def foreign_inputs(content: bytes, *, time_limit_s: float = 600.0) -> dict[str, tuple[str, Any]]:
    """The inputs of a file of another runtime: type and shape by name, -1 for an open size.

    Raises:
        UsageError: the runtime is not installed.
        RuntimeFailure: it refuses the file.
    """
    name = NAMES[kind_of(content)]
    found = run_in_child("foreign_inputs", content, {}, time_limit_s=time_limit_s, runtime=name)
    return {name: (dtype, tuple(shape)) for name, (dtype, *shape) in found.values.items()}


def foreign_inputs_job(
    path: Path, _request: Mapping[str, Any], _arrays: Arrays
) -> tuple[dict[str, Any], dict[str, Array]]:
    """The child's side of `foreign_inputs`."""
    return {end.name: [end.dtype, *end.shape] for end in opened(path.read_bytes()).inputs}, {}


def foreign_run_job(
    path: Path, request: Mapping[str, Any], arrays: Arrays
) -> tuple[dict[str, Any], dict[str, Array]]:
    """The child's side of `run_foreign`."""
    session = opened(path.read_bytes(), threads=request["threads"])
    feeds = fitted(session.inputs, arrays)
    batch, count = batch_of(session.inputs, feeds), examples_in(feeds)
    if all(end.shape[:1] == (-1,) for end in session.inputs):
        batch = min(request["batch"], count)
    collected: dict[str, list[Array]] = {}
    for answer in session.run_each(chunks(session.inputs, feeds, batch)):
        for name, value in answer.items():
            collected.setdefault(name, []).append(value)
    return {}, {name: joined(name, parts, batch, count) for name, parts in collected.items()}


def foreign_latency_job(
    path: Path, request: Mapping[str, Any], _arrays: Arrays
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Times a file's runs on generated inputs; returns the same as `latency_job`."""
    content = path.read_bytes()
    return timed_session(
        lambda: opened(content, threads=request["threads"]), request, lambda _session: None
    )
