"""Runs a .tflite file on examples, in a child process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.runtime.larq_files import RUNTIME, is_larq_file
from tflite_squeeze.runtime.process import run_in_child


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """What an operator of the file computed for the first few examples.

    Attributes:
        index: the tensor's index in its subgraph.
        name: its name in the file.
        operator: the index of the operator that computes it.
        op_name: that operator's name, such as CONV_2D.
        values: (examples, …), dequantized to float32 where the tensor is quantized.
    """

    index: int
    name: str
    operator: int
    op_name: str
    values: NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """The outputs of a file.

    Attributes:
        outputs: by name (N, …): float32 where the tensor is quantized, else its own type.
        signature: the signature that ran; None for a file without any.
        batch: how many examples each run took.
        tensors: with `keep_tensors`, the outputs of every operator, in order of execution.
    """

    outputs: dict[str, NDArray[Any]]
    signature: str | None
    batch: int
    tensors: tuple[Tensor, ...] = ()


def run_file(
    tflite: bytes,
    inputs: Mapping[str, NDArray[Any]],
    *,
    signature: str | None = None,
    threads: int = 1,
    keep_tensors: bool = False,
    stream: bool = False,
    time_limit_s: float = 600.0,
) -> RunResult:
    """Runs a .tflite file on N examples in a child process.

    Files for Larq Compute Engine run there, without `keep_tensors`, all others in LiteRT. A batch
    that the file fixes is filled up; where it leaves the batch open, examples run one by one, as
    on a device. State that a file keeps (variables, the cells of a fused LSTM) is reset before
    each run, so that examples do not depend on each other, unless they are a `stream`.

    Args:
        tflite: the file's content.
        inputs: (N, …) per input, by the signature's names, or by the tensors' names in a file
            without signatures. Real values are quantized with the tensor's own scale and zero point
            where the file takes integers; arrays of exactly the tensor's type go in as they are.
        signature: which signature to run; None for the first.
        threads: threads for the kernels.
        keep_tensors: also returns the outputs of every operator for the first 8 examples, from a
            second run with the built-in kernels and no delegate.
        stream: the examples are one stream, each begins in the state that the last one left.
        time_limit_s: time limit of the run in seconds.

    Returns:
        The outputs.

    Raises:
        InputError: names, shapes or types of the inputs do not match the file.
        RuntimeFailure: the runtime refused the file, crashed on it, or took too long.

    Example:
        >>> outputs = run_file(Path("lenet.tflite").read_bytes(), {"image": x}).outputs
    """
    if threads < 1:
        raise UsageError(f"threads must be at least 1; got {threads}")
    request = {
        "signature": signature,
        "threads": threads,
        "keep_tensors": keep_tensors,
        "stream": stream,
    }
    arrays = {name: np.asarray(array) for name, array in inputs.items()}
    larq = is_larq_file(tflite)
    answer = run_in_child(
        "larq_run" if larq else "run",
        tflite,
        request,
        arrays,
        time_limit_s=time_limit_s,
        runtime=RUNTIME if larq else "LiteRT",
    )
    outputs = {
        name.removeprefix("output/"): array
        for name, array in answer.arrays.items()
        if name.startswith("output/")
    }
    tensors = tuple(
        Tensor(values=answer.arrays[f"tensor/{about['index']}"], **about)
        for about in answer.values["tensors"]
    )
    return RunResult(
        outputs=outputs,
        signature=answer.values["signature"],
        batch=answer.values["batch"],
        tensors=tensors,
    )


Tensors = dict[str, NDArray[Any]]


def run_cases(
    tflite: bytes,
    cases: Sequence[Mapping[str, NDArray[Any]]],
    *,
    signature: str | None = None,
    delegate: bool = True,
    time_limit_s: float = 600.0,
) -> list[Tensors]:
    """Runs a file once per case, each from a fresh state.

    Unlike `run_file` it knows nothing of examples: a case holds the input tensors as they are,
    batch included and in the tensors' own types, and gets the output tensors as they come.

    Args:
        tflite: the file's content.
        cases: whole input tensors by name.
        signature: which signature to run; None for the first, or the main subgraph of a file
            that has none.
        delegate: whether XNNPACK takes over what it can; else the built-in kernels run it all.
        time_limit_s: time limit of the run in seconds.

    Returns:
        Whole output tensors by name, one dict per case.

    Raises:
        InputError: names or types of the inputs do not match the file.
        RuntimeFailure: the runtime refused the file, crashed on it, or took too long.

    Example:
        >>> run_cases(tflite, [{"x": np.zeros((1, 8), np.float32)}])[0]["scores"].shape
        (1, 3)
    """
    request = {"signature": signature, "delegate": delegate, "count": len(cases)}
    arrays = {
        f"{at}/{name}": array for at, case in enumerate(cases) for name, array in case.items()
    }
    answer = run_in_child("cases", tflite, request, arrays, time_limit_s=time_limit_s)
    return _split(answer.arrays, len(cases))


def cases_job(
    path: Path, request: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], Tensors]:
    """The child's side of `run_cases`."""
    from tflite_squeeze.runtime.session import Session

    session = Session(path, signature=request["signature"], threads=1, delegate=request["delegate"])
    answer: Tensors = {}
    for at, feeds in enumerate(_split(arrays, request["count"])):
        wanted = {one.name: one.dtype for one in session.inputs}
        given = {name: array.dtype.name for name, array in feeds.items()}
        if wanted != given:
            raise InputError(f"the file takes {wanted}; got {given}: name and convert the arrays")
        # A scalar comes out as a NumPy number.
        outputs = {name: np.asarray(value) for name, value in session.run(feeds).items()}
        answer |= {f"{at}/{name}": value for name, value in outputs.items()}
    return {}, answer


def _split(arrays: Mapping[str, NDArray[Any]], count: int) -> list[Tensors]:
    """Arrays of all cases, as one dict per case."""
    cases: list[Tensors] = [{} for _ in range(count)]
    for key, array in arrays.items():
        at, _, name = key.partition("/")
        cases[int(at)][name] = array
    return cases
