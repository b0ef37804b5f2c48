"""Runs a .tflite file on whole input tensors, case by case, in a child process."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError
from tflite_squeeze.runtime.process import run_in_child

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
        time_limit_s: seconds after which the run is given up.

    Returns:
        Whole output tensors by name, one dict per case.

    Raises:
        InputError: names or types of the inputs do not fit the file.
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
