"""What memory a file takes: the interpreter's arena, and the peak of the process.

Runs in a child process (see `process`), so that the figures are the file's own.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from tflite_squeeze.runtime.inputs import made_up
from tflite_squeeze.runtime.session import Session, litert_errors

_ARENA_ALIGNMENT = 64
_STATUS = Path("/proc/self/status")
_MAPS = Path("/proc/self/maps")

Span = tuple[int, int]


def memory_job(
    path: Path, request: Mapping[str, Any], _arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Runs a file once with the built-in kernels alone, and measures the arena.

    Args:
        path: the .tflite file.
        request: signature, threads, seed.
        _arrays: none.

    Returns:
        The value `arena_bytes`, and no arrays.
    """
    session = Session(
        path, signature=request["signature"], threads=request["threads"], delegate=False
    )
    inputs = made_up(
        {item.name: (item.dtype, item.default_shape) for item in session.inputs}, request["seed"]
    )
    invoke = session.invoker(inputs)
    with litert_errors():
        invoke()
    return {"arena_bytes": arena_bytes(session.interpreter, path)}, {}


def arena_bytes(interpreter: Interpreter, path: Path) -> int:
    """Bytes of working memory that the interpreter's own tensors cover.

    The interpreter lays its intermediate tensors over each other where their lives do not
    overlap; what counts is the memory that at least one of them covers: the arenas and
    whatever kernels allocated beside them, without constants (they lie in the mapped file)
    and without what a delegate keeps for itself.

    Args:
        interpreter: after its first run.
        path: the file that it has mapped.

    Returns:
        Bytes, every tensor rounded up to the arena's alignment of 64.
    """
    constants = _mapped(path)
    spans = (span for span in _spans(interpreter) if not _inside(span, constants))
    return covered_bytes(spans, alignment=_ARENA_ALIGNMENT)


def covered_bytes(spans: Iterable[Span], *, alignment: int = 1) -> int:
    """How many bytes lie in at least one span (start, end), ends rounded up to the alignment.

    Example:
        >>> covered_bytes([(0, 10), (5, 20), (30, 32)])
        22
    """
    total = reached = 0
    for start, end in sorted(spans):
        rounded = end + -end % alignment
        total += max(rounded - max(start, reached), 0)
        reached = max(reached, rounded)
    return total


def forget_peak() -> None:
    """Resets the peak of the process to its current memory."""
    # "5" resets VmHWM; a kernel without that keeps the old peak, which is higher, never lower.
    Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """The most memory that was resident since `forget_peak`."""
    return _status("VmHWM")


def resident_bytes() -> int:
    """The memory that is resident now."""
    return _status("VmRSS")


def _status(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _mapped(path: Path) -> list[Span]:
    """The address range of a file in this process's memory."""
    spans = []
    for line in _MAPS.read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5] == str(path.resolve()):
            start, end = fields[0].split("-")
            spans.append((int(start, 16), int(end, 16)))
    return spans


def _inside(span: Span, regions: list[Span]) -> bool:
    return any(start <= span[0] < end for start, end in regions)


def _spans(interpreter: Interpreter) -> Iterable[Span]:
    """Address and end of every tensor that has memory."""
    wrapper = interpreter._interpreter
    for subgraph in range(interpreter.num_subgraphs()):
        for index in range(wrapper.NumTensors(subgraph)):
            try:
                # Strings and handles of resources have no plain values.
                if np.dtype(wrapper.TensorType(index, subgraph)).kind not in "biufc":
                    continue
                view = wrapper.tensor(wrapper, index, subgraph)
            except ValueError:  # no type or no memory: a delegate keeps it, or nothing made it
                continue
            start = view.__array_interface__["data"][0]
            if view.nbytes and start:
                yield start, start + view.nbytes
