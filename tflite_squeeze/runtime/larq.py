"""Files for Larq Compute Engine, run and timed in that runtime.

The runtime is one extension module, loaded without the package around it, which would load
TensorFlow: memory is then the runtime's own. It runs in child processes, as LiteRT does.
"""

import time
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import RuntimeFailure, UsageError
from tflite_squeeze.runtime.larq_files import RUNTIME
from tflite_squeeze.runtime.latency import timed_session
from tflite_squeeze.runtime.runner import batch_of, chunks, examples_in, fitted, joined
from tflite_squeeze.runtime.session import Endpoint
from tflite_squeeze.tflite.fields import dtype_name, items, scales_of, shape_of, text
from tflite_squeeze.tflite.flatbuffer import read_model

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
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise RuntimeFailure(
                f"{RUNTIME} refuses the file ({reason[:200]}): convert it again with --runtime larq"
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
    """Times a file's runs on made-up inputs; answers as `latency_job` does."""
    content = path.read_bytes()

    def opened() -> LarqSession:
        return LarqSession(content, threads=request["threads"], indirect=request["indirect_bgemm"])

    return timed_session(opened, request, lambda _session: None)
