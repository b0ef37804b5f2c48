"""ONNX models in ONNX Runtime."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from numpy.typing import NDArray

from tflite_squeeze.errors import RuntimeFailure, UsageError, reason_of
from tflite_squeeze.runtime.session import Endpoint

Array = NDArray[Any]
Arrays = Mapping[str, Array]

RUNTIME = "ONNX Runtime"
# What the runtime calls the types whose NumPy names differ.
_TYPES = {"float": "float32", "double": "float64", "string": "bytes"}
_QUIET = 3  # errors alone


class OnnxSession:
    """One model, opened in ONNX Runtime on the processor.

    Args:
        content: of the file.
        threads: threads for the kernels.

    Attributes:
        inputs: in the order of the file.
        outputs: in the order of the file.
        signature: None, as ONNX has none.
        init_ns: nanoseconds that loading took.

    Raises:
        UsageError: ONNX Runtime is not installed.
        RuntimeFailure: it refuses the file.
    """

    def __init__(self, content: bytes, *, threads: int = 1) -> None:
        runtime = _runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = _QUIET
        begin = time.perf_counter_ns()
        try:
            self._session = runtime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        # The classes of its errors, such as InvalidGraph, are derived from nothing else.
        except Exception as error:
            raise RuntimeFailure(
                f"{RUNTIME} refuses the file ({reason_of(error)}): export it again, in one "
                f"file and with an opset that it knows"
            ) from error
        self.init_ns = time.perf_counter_ns() - begin
        self._threads = threads
        self.signature = None
        self.inputs = [
            _endpoint(index, one) for index, one in enumerate(self._session.get_inputs())
        ]
        self.outputs = [
            _endpoint(index, one) for index, one in enumerate(self._session.get_outputs())
        ]

    def run(self, feeds: Arrays) -> dict[str, Array]:
        """Runs once on arrays of the tensors' own types."""
        names = [end.name for end in self.outputs]
        try:
            answers = self._session.run(names, dict(feeds))
        except Exception as error:  # as above
            raise RuntimeFailure(
                f"{RUNTIME} cannot compute the file ({reason_of(error)}): export it again"
            ) from error
        return dict(zip(names, answers, strict=True))

    def run_each(self, examples: Iterable[Arrays]) -> list[dict[str, Array]]:
        """Runs on each."""
        return [self.run(feeds) for feeds in examples]

    def invoker(self, feeds: Arrays) -> Callable[[], Any]:
        """What runs once, with inputs and outputs in memory that is bound beforehand."""
        runtime = _runtime()
        binding = self._session.io_binding()
        for end in self.inputs:
            binding.bind_ortvalue_input(
                end.name, runtime.OrtValue.ortvalue_from_numpy(feeds[end.name])
            )
        for name, answer in self.run(feeds).items():
            binding.bind_ortvalue_output(name, runtime.OrtValue.ortvalue_from_numpy(answer))
        return partial(self._session.run_with_iobinding, binding)

    def caller(self, feeds: Arrays) -> Callable[[], Any]:
        """What runs once, from NumPy arrays to NumPy arrays."""
        return partial(self._session.run, [end.name for end in self.outputs], dict(feeds))


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            "running .onnx files needs ONNX Runtime, which is not installed: "
            "pip install 'tflite_squeeze[onnxruntime]'"
        ) from error
    return onnxruntime


def _endpoint(index: int, about: Any) -> Endpoint:
    kind = about.type.removeprefix("tensor(").removesuffix(")")
    return Endpoint(
        name=about.name,
        index=index,
        shape=tuple(size if isinstance(size, int) else -1 for size in about.shape),
        dtype=_TYPES.get(kind, kind),
        scale=0.0,
        zero_point=0,
    )
