"""Files for Larq Compute Engine, run and timed in that runtime.

The runtime is one extension module, loaded without the package around it, which would load
TensorFlow: memory is then the runtime's own. It runs in child processes, as LiteRT does.
"""

import copy
import time
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import RuntimeFailure, UsageError, reason_of
from tflite_squeeze.runtime.inputs import made_up
from tflite_squeeze.runtime.larq_files import RUNTIME
from tflite_squeeze.runtime.latency import timed, timed_session
from tflite_squeeze.runtime.runner import batch_of, chunks, examples_in, fitted, joined
from tflite_squeeze.runtime.session import Endpoint
from tflite_squeeze.tflite.fields import (
    buffer_bytes,
    dtype_name,
    integers,
    items,
    operator_name,
    scales_of,
    shape_of,
    text,
)
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model

Array = NDArray[Any]
Arrays = Mapping[str, Array]

_MODULE = "interpreter_wrapper_lite"
_NS_PER_US = 1000.0


class LarqSession:
    """One file, opened in Larq Compute Engine.

    Args:
        tflite: the file's content.
        threads: threads for the kernels.
        indirect: whether binary convolutions use the indirect kernels.

    Attributes:
        inputs: in the order in which the runtime takes them.
        outputs: in the order in which it gives them.
        init_ns: nanoseconds that loading took.

    Raises:
        UsageError: Larq Compute Engine is not installed.
        RuntimeFailure: it refuses the file.
    """

    def __init__(self, tflite: bytes, *, threads: int = 1, indirect: bool = True) -> None:
        model = read_model(tflite)
        signatures = items(model.signatureDefs)
        known = {
            int(end.tensorIndex): text(end.name)
            for one in signatures[:1]
            for end in (*items(one.inputs), *items(one.outputs))
        }
        graph = model.subgraphs[0]
        self.signature = text(signatures[0].signatureKey) if signatures else None
        self.inputs = [_endpoint(graph, int(index), known) for index in graph.inputs]
        self.outputs = [_endpoint(graph, int(index), known) for index in graph.outputs]
        begin = time.perf_counter_ns()
        try:
            # Content, threads, reference kernels, indirect kernels, XNNPACK for all else.
            self._interpreter = _runtime().LiteInterpreter(tflite, threads, False, indirect, True)
        except RuntimeError as error:
            reason = reason_of(error)
            raise RuntimeFailure(
                f"{RUNTIME} refuses the file ({reason}): convert it again with --runtime larq"
            ) from error
        self.init_ns = time.perf_counter_ns() - begin

    def run(self, feeds: Arrays) -> dict[str, Array]:
        """Runs once on arrays of the tensors' own types."""
        answers = self._interpreter.predict([feeds[end.name] for end in self.inputs])
        return {end.name: value for end, value in zip(self.outputs, answers, strict=True)}

    def invoker(self, feeds: Arrays) -> Any:
        """What runs once; it copies inputs and outputs too, which this runtime always does."""
        given = [np.ascontiguousarray(feeds[end.name]) for end in self.inputs]
        predict = self._interpreter.predict
        return lambda: predict(given)

    caller = invoker


@cache
def _runtime() -> Any:
    package = find_spec("larq_compute_engine")
    if package is None or not package.submodule_search_locations:
        raise UsageError("files for Larq need its runtime: pip install larq-compute-engine")
    folder = Path(next(iter(package.submodule_search_locations))) / "tflite" / "python"
    found = sorted(folder.glob(f"{_MODULE}*"))
    if not found:
        raise UsageError(
            f"{RUNTIME} is incomplete: pip install --force-reinstall larq-compute-engine"
        )
    spec = spec_from_file_location(_MODULE, found[0])
    if spec is None or spec.loader is None:
        raise UsageError(f"{found[0]} cannot be loaded: pip install larq-compute-engine again")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _endpoint(graph: Any, index: int, known: Mapping[int, str]) -> Endpoint:
    tensor = graph.tensors[index]
    scales = scales_of(tensor)
    points = None if tensor.quantization is None else tensor.quantization.zeroPoint
    return Endpoint(
        name=known.get(index) or text(tensor.name),
        index=index,
        shape=shape_of(tensor),
        dtype=dtype_name(tensor),
        scale=float(scales[0]) if len(scales) else 0.0,
        zero_point=int(points[0]) if points is not None and len(points) else 0,
    )


def larq_run_job(
    path: Path, request: Mapping[str, Any], arrays: Arrays
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Runs a file on examples; see `tflite_squeeze.runtime.run.run_file`."""
    session = LarqSession(path.read_bytes(), threads=request["threads"])
    feeds = fitted(session.inputs, arrays)
    batch, count = batch_of(session.inputs, feeds), examples_in(feeds)
    collected: dict[str, list[Array]] = {end.name: [] for end in session.outputs}
    for chunk in chunks(session.inputs, feeds, batch):
        for name, value in session.run(chunk).items():
            collected[name].append(value)
    answer = {
        f"output/{name}": joined(name, parts, batch, count) for name, parts in collected.items()
    }
    return {"signature": session.signature, "batch": batch, "tensors": []}, answer


def larq_latency_job(
    path: Path, request: Mapping[str, Any], _arrays: Arrays
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Times a file's runs on generated inputs; returns the same as `latency_job`."""
    content = path.read_bytes()

    def opened() -> LarqSession:
        return LarqSession(content, threads=request["threads"], indirect=request["indirect_bgemm"])

    return timed_session(opened, request, lambda _session: None)


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
    """What each step adds to a growing total; 0 where noise would make it negative.

    Args:
        totals_us: (N,), the time of the first 1, 2, … operators.

    Example:
        >>> differences(np.array([2.0, 5.0, 4.5, 7.0]))
        [2.0, 3.0, 0.0, 2.0]
    """
    reached = np.maximum.accumulate(np.concatenate([[0.0], totals_us]))
    return [float(value) for value in np.diff(reached)]


def _runs_at_load(model: Any, operator: Any) -> bool:
    """Whether an operator only dequantizes constants, which is done once."""
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
