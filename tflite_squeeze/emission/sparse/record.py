"""A file compared with its sparse form: outputs bit for bit, and interleaved timing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.sparse.plan import SparsityPlan
from tflite_squeeze.emission.sparse.tensor import densified
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.runtime.inputs import made_up
from tflite_squeeze.runtime.process import run_in_child
from tflite_squeeze.runtime.session import Session
from tflite_squeeze.runtime.turns import times_in_turns
from tflite_squeeze.tables.displayed import Displayed

Arrays = Mapping[str, NDArray[Any]]

_EXAMPLES = 16


class SparseRun(Frozen):
    """A file and its sparse form, run side by side in one process.

    Attributes:
        identical: whether the sparse file's outputs equal those of the same graph with
            dense weights bit for bit, on made-up inputs, in the default interpreter.
        max_abs_difference: its largest distance from the file that it was made from, in the
            outputs' own units; 0 where a Dense layer's detour changes nothing.
        dense_us: median time of a run of that file.
        sparse_us: of the sparse one.
        latency_ratio: the median, over turns, of sparse time over dense time.
    """

    identical: bool
    max_abs_difference: float
    dense_us: float
    sparse_us: float
    latency_ratio: float


class SparsityRecord(Displayed):
    """How a file's zeros were stored.

    Attributes:
        plan: the decision for each tensor.
        sparse: whether the file that was kept has sparse tensors.
        reason: why it has none although the plan has; empty otherwise.
        raw_bytes: size of the file that was kept; dense_raw_bytes: with dense weights.
        download_bytes: after gzip -9; dense_download_bytes: with dense weights.
        unpacked_bytes: RAM that the sparse tensors take once they are unpacked, at load.
        run: both files side by side; None where there was nothing to compare.
        notes: further notes about the file.
    """

    tables_by = ".tables:sparsity_tables"

    plan: SparsityPlan
    sparse: bool
    reason: str = ""
    raw_bytes: int
    dense_raw_bytes: int
    download_bytes: int
    dense_download_bytes: int
    unpacked_bytes: int
    run: SparseRun | None = None
    notes: tuple[str, ...] = ()


def compare_sparse(dense: bytes, sparse: bytes, *, time_limit_s: float = 300.0) -> SparseRun:
    """Runs a file and its sparse form in turns, in one child process.

    Args:
        dense: the file as it was.
        sparse: what `sparsify` made of it.
        time_limit_s: time limit in seconds.

    Returns:
        Their outputs compared, and their times.

    Raises:
        RuntimeFailure: the runtime refuses one of them.

    Example:
        >>> compare_sparse(tflite, sparsify(tflite).tflite).identical
        True
    """
    files = {"sparse": sparse, "reference": densified(sparse)}
    arrays = {name: np.frombuffer(content, np.uint8) for name, content in files.items()}
    answer = run_in_child("sparsity", dense, {"seed": 0}, arrays, time_limit_s=time_limit_s)
    return SparseRun(**answer.values)


def sparsity_job(
    path: Path, request: Mapping[str, Any], arrays: Arrays
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The child's side of `compare_sparse`.

    Args:
        path: the file as it was.
        request: seed.
        arrays: the bytes of `sparse` and of `reference`, the same graph with dense weights.
    """
    sessions = {"dense": Session(path, signature=None, threads=1)}
    for name in ("sparse", "reference"):
        other = path.with_name(f"{name}.tflite")
        other.write_bytes(arrays[name].tobytes())
        sessions[name] = Session(other, signature=None, threads=1)
    types = {item.name: (item.dtype, item.default_shape) for item in sessions["dense"].inputs}
    identical, difference = True, 0.0
    for example in range(_EXAMPLES):
        inputs = made_up(types, request["seed"] + example)
        answers = {name: session.run(inputs) for name, session in sessions.items()}
        for name, value in answers["sparse"].items():
            identical &= value.tobytes() == answers["reference"][name].tobytes()
            difference = max(difference, _distance(value, answers["dense"][name]))
    del sessions
    times = times_in_turns([path, path.with_name("sparse.tflite")], made_up(types, request["seed"]))
    medians = np.median(times, axis=1)
    values = {
        "identical": identical,
        "max_abs_difference": difference,
        "dense_us": float(medians[0]),
        "sparse_us": float(medians[1]),
        "latency_ratio": float(np.median(times[1] / times[0])),
    }
    return values, {}


def _distance(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The largest difference of two outputs; infinite where one of them only has no number."""
    if one.tobytes() == other.tobytes() or not one.size:
        return 0.0
    if one.shape != other.shape or one.dtype.kind not in "fiub":
        return float(np.inf)
    apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
    apart[np.isnan(one.astype(np.float64)) & np.isnan(other.astype(np.float64))] = 0.0
    return float(np.nan_to_num(apart, nan=np.inf).max())
