"""Runs a .tflite file on examples, in a child process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UsageError
from tflite_squeeze.runtime.larq_files import RUNTIME, is_larq_file
from tflite_squeeze.runtime.process import run_in_child


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """What an operator of the file put out for the first few examples.

    Attributes:
        index: the tensor's index in its subgraph.
        name: its name in the file.
        operator: the index of the operator that computes it.
        op_name: that operator's name, such as CONV_2D.
        values: (examples, …), dequantized to float32 where the tensor stands for reals.
    """

    index: int
    name: str
    operator: int
    op_name: str
    values: NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a file answered.

    Attributes:
        outputs: by name (N, …): float32 where the tensor stands for reals, else its own type.
        signature: the signature that ran; None for a file without any.
        batch: how many examples each run took.
        tensors: with `keep_tensors`, what every operator put out, in order of execution.
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
            without signatures. Reals are quantized with the tensor's own scale and zero point
            where the file takes integers; arrays of exactly the tensor's type go in as they are.
        signature: which signature to run; None for the first.
        threads: threads for the kernels.
        keep_tensors: also returns what every operator put out for the first 8 examples, from a
            second run with the built-in kernels and no delegate.
        stream: the examples are one stream, each begins in the state that the last one left.
        time_limit_s: seconds after which the run is given up.

    Returns:
        The outputs.

    Raises:
        InputError: names, shapes or types of the inputs do not fit the file.
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
