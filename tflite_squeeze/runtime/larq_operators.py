"""What each operator of a file for Larq Compute Engine takes, by running ever more of the file.

That runtime has no profiler. The first k operators alone are a file too, whose output is what the
k-th puts out; how much longer it takes than the first k - 1 is what the k-th takes.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.runtime.inputs import made_up
from tflite_squeeze.runtime.larq import LarqSession
from tflite_squeeze.runtime.latency import timed
from tflite_squeeze.tflite.fields import buffer_bytes, integers, items, operator_name
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model

_TURNS, _TURN_SECONDS = 12, 0.01


def first_operators(model: Any, count: int) -> bytes:
    """A file of the first operators of another, without signatures.

    Args:
        model: what `read_model` returned; it is not changed.
        count: how many operators, one at least.
    """
    short = copy.copy(model)
    graph = copy.copy(model.subgraphs[0])
    graph.operators = items(graph.operators)[:count]
    graph.outputs = np.asarray(graph.operators[-1].outputs, np.int32)
    short.subgraphs, short.signatureDefs = [graph], None
    return pack_model(short)


def differences(totals_us: NDArray[np.floating[Any]]) -> list[float]:
    """What each step adds to a growing total; noise that would make it negative is 0.

    Args:
        totals_us: (N,), the time of the first 1, 2, … operators.

    Example:
        >>> differences(np.array([2.0, 5.0, 4.5, 7.0]))
        [2.0, 3.0, 0.0, 2.0]
    """
    reached = np.maximum.accumulate(np.concatenate([[0.0], totals_us]))
    return [float(value) for value in np.diff(reached)]


def _runs_at_load(model: Any, operator: Any) -> bool:
    """Whether an operator only brings constants to reals, which is done once."""
    tensors = model.subgraphs[0].tensors
    return operator_name(model, operator) == "DEQUANTIZE" and all(
        buffer_bytes(model.buffers[tensors[at].buffer]) for at in integers(operator.inputs)
    )


def larq_operators_job(
    path: Path, request: Mapping[str, Any], _arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The child's side: times per operator, in the form of `operators_job`.

    Args:
        path: the file.
        request: threads, indirect_bgemm, seed.
        _arrays: none.
    """
    model = read_model(path.read_bytes())
    operators = items(model.subgraphs[0].operators)
    options = {"threads": request["threads"], "indirect": request["indirect_bgemm"]}
    counted = [at for at, operator in enumerate(operators) if not _runs_at_load(model, operator)]
    sessions = [LarqSession(first_operators(model, at + 1), **options) for at in counted]
    inputs = made_up(
        {item.name: (item.dtype, item.default_shape) for item in sessions[0].inputs},
        request["seed"],
    )
    invokes = [session.invoker(inputs) for session in sessions]
    times = np.zeros((len(invokes), _TURNS))
    for turn in range(_TURNS):
        for index, invoke in enumerate(invokes):
            taken = timed(invoke, runs=3, min_seconds=_TURN_SECONDS)
            times[index, turn] = float(np.median(taken))
    totals = np.zeros(len(operators))
    totals[counted] = np.median(times, axis=1)
    listed = [
        {
            "name": operator_name(model, operator),
            "subgraph": 0,
            "index": index,
            "delegated": False,
            "calls_per_run": 1,
            "us_per_run": taken,
        }
        for index, (operator, taken) in enumerate(zip(operators, differences(totals), strict=True))
    ]
    return {"operators": listed, "runs": _TURNS, "invoke_us": float(totals[-1])}, {}
