"""A file in TFLM's interpreter: the child's side of `tflite_squeeze.microcontrollers.profile`.

TFLM reports a failure in one sentence, prints the reason to standard error, and may crash if
the arena is too small; so its output is captured, and each arena size is tried in a process of
its own.
"""

import os
import re
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.chatter import Chatter, caught_chatter
from tflite_squeeze.errors import UnsupportedError

Arrays = dict[str, NDArray[Any]]

# Only the pages that TFLM touches become memory.
_ROOMY_BYTES = 512 * 2**20
_STEP_BYTES = 16  # what TFLM aligns an arena to
_TOTAL = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")
_PART = re.compile(r"'(.+?)' used (\d+) bytes with alignment overhead")


class _Refused(Exception):  # noqa: N818  # named after what TFLM did
    """TFLM refused a file, or failed to run it; the message is TFLM's own."""


def micro_job(
    path: Path, request: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], Arrays]:
    """Runs a file on TFLM, example by example, as one stream that begins in its initial state.

    Args:
        path: the .tflite file.
        request: `outputs`, how many the main subgraph has; `arena_bytes`, an arena to try; None
            for none.
        arrays: for input i of the main subgraph, i: (examples, *the tensor's shape), of the
            tensor's own type.

    Returns:
        `tflm`: its version; `said`: what TFLM says where it cannot run the file, and then no
        more; else `total`, `head`, `tail`, `parts`, `smallest` and, of the arena to try, `fits`.
        The outputs by index: (examples, *the tensor's shape).

    Raises:
        UnsupportedError: TFLM is not installed.
    """
    tflite = path.read_bytes()
    values: dict[str, Any] = {"tflm": _version(), "said": None}
    count, arena_bytes = request["outputs"], request["arena_bytes"]
    try:
        interpreter, outputs = _run(tflite, arrays, count, _ROOMY_BYTES)
    except _Refused as refused:
        return {**values, "said": str(refused)}, {}
    first = {name: array[:1] for name, array in arrays.items()}

    def works(size: int) -> bool:
        return _survives(lambda: _run(tflite, first, count, size))

    values |= _allocations(interpreter)
    values["smallest"] = smallest(values["total"], works)
    values["fits"] = arena_bytes is None or works(arena_bytes)
    return values, outputs


def smallest(guess_bytes: int, works: Callable[[int], bool]) -> int:
    """The smallest arena that works, in steps of 16 bytes.

    Args:
        guess_bytes: a size near it; TFLM's own total is at most a little too small.
        works: whether a size works; a larger one than one that works does too.

    Example:
        >>> smallest(100, lambda size: size >= 130)
        144
    """
    low, high = 0, -(-guess_bytes // _STEP_BYTES)
    while not works(high * _STEP_BYTES):
        low, high = high, high + max(high // 16, 1)
    # TFLM's total is nearly always it, so look right below before halving all the way down.
    if high > 1 and low == 0 and not works((high - 1) * _STEP_BYTES):
        low = high - 1
    while high - low > 1:
        middle = (low + high) // 2
        if works(middle * _STEP_BYTES):
            high = middle
        else:
            low = middle
    return high * _STEP_BYTES


def _version() -> str:
    try:
        from tflite_micro.python.tflite_micro import runtime  # noqa: F401
    except ModuleNotFoundError as error:
        raise UnsupportedError(
            "TFLM, the runtime for microcontrollers, is not installed: "
            "pip install 'tflite_squeeze[micro]'"
        ) from error
    return version("tflite-micro")


def _run(
    tflite: bytes, arrays: Mapping[str, NDArray[Any]], outputs: int, arena_bytes: int
) -> tuple[Any, Arrays]:
    """The interpreter after its last run, and the outputs of all runs."""
    from tflite_micro.python.tflite_micro import runtime

    said = Chatter()
    try:
        with caught_chatter(said):
            interpreter = runtime.Interpreter.from_bytes(tflite, arena_size=arena_bytes)
            collected: list[list[NDArray[Any]]] = []
            for example in range(min((len(array) for array in arrays.values()), default=1)):
                for name, array in arrays.items():
                    interpreter.set_input(array[example], int(name))
                interpreter.invoke()
                collected.append([interpreter.get_output(index) for index in range(outputs)])
    except (RuntimeError, ValueError) as error:
        lines = [line.strip() for line in said.lines if line.strip()]
        raise _Refused("; ".join([*lines, str(error)])) from error
    parts = enumerate(zip(*collected, strict=True))
    return interpreter, {str(index): np.stack(part) for index, part in parts}


def _allocations(interpreter: Any) -> dict[str, Any]:
    """What TFLM prints of its arena."""
    with caught_chatter() as said:
        interpreter.print_allocations()
    text = "\n".join(said.lines)
    sizes: dict[str, Any] = {name: int(size) for name, size in _TOTAL.findall(text)}
    return {**sizes, "parts": [[name, int(size)] for name, size in _PART.findall(text)]}


def _survives(work: Callable[[], Any]) -> bool:
    """Whether work that may crash comes to its end, tried in a copy of this process."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except _Refused:
            code = 1
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0
