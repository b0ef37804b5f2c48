"""LiteRT's public C interface through ctypes: the only way to its per-operator profiler.

Runs in a child process (see `process`); a wrong byte in a file may crash whoever calls this.
The structures below follow the headers in litert/c of LiteRT 2.x.
"""

import ctypes
from collections.abc import Mapping
from contextlib import ExitStack
from ctypes import (
    Structure,
    byref,
    c_char_p,
    c_int,
    c_int32,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
    cast,
)  # fmt: skip
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tflite_squeeze.errors import RuntimeFailure

# LiteRtStatus, as far as these calls return it.
_STATUSES = {
    1: "invalid argument", 2: "out of memory", 3: "runtime failure", 4: "missing input",
    5: "unsupported", 6: "not found", 9: "unknown error", 500: "unreadable file",
    501: "invalid flatbuffer", 504: "compilation failed",
}  # fmt: skip


class LiteRtLibrary:
    """The C library in the ai-edge-litert wheel.

    Functions are named without their prefix `LiteRt`.

    Raises:
        RuntimeFailure: the wheel is missing, or has no such library.
    """

    def __init__(self) -> None:
        package = find_spec("ai_edge_litert")
        if package is None or package.origin is None:
            raise RuntimeFailure("ai-edge-litert is not installed: pip install ai-edge-litert")
        path = Path(package.origin).parent / "libLiteRt.so"
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            raise RuntimeFailure(
                f"this ai-edge-litert has no C library that can be loaded ({error}): install "
                f"the version that this package requires"
            ) from error

    def function(self, name: str) -> Any:
        """A function by name.

        Raises:
            RuntimeFailure: the library has no such function.
        """
        try:
            return getattr(self._library, f"LiteRt{name}")
        except AttributeError as error:
            raise RuntimeFailure(
                f"this ai-edge-litert has no LiteRt{name}: install the version that this "
                f"package requires"
            ) from error

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function and checks the status that it returns.

        Raises:
            RuntimeFailure: it is not "ok".
        """
        status = self.function(name)(*arguments)
        if status != 0:
            said = _STATUSES.get(status, f"status {status}")
            raise RuntimeFailure(f"LiteRT's C interface answered {said!r} to LiteRt{name}")

    def get(self, name: str, *arguments: Any) -> c_void_p:
        """Calls a function whose last argument receives a handle or a pointer; returns that."""
        handle = c_void_p()
        self.call(name, *arguments, byref(handle))
        return handle

    def count(self, name: str, *arguments: Any) -> int:
        """Calls a function whose last argument receives a number; returns that."""
        number = c_size_t()
        self.call(name, *arguments, byref(number))
        return number.value

    def make(
        self, what: str, undo: ExitStack, *arguments: Any, destroy: str | None = None
    ) -> c_void_p:
        """Calls `Create…` and leaves the `Destroy…` that undoes it on the stack."""
        handle = self.get(f"Create{what}", *arguments)
        undo.callback(self.function(f"Destroy{destroy or what}"), handle)
        return handle


_CPU = 1
_LOCK_FOR_WRITING = 1
_MAX_RANK = 8
# The payload of each opaque option is TOML text under a name that the runtime looks for.
_RUNTIME_OPTIONS = b"runtime_options_string"
_CPU_OPTIONS = b"xnnpack"

# LiteRtElementType → NumPy's name, for what NumPy can make up values of.
ELEMENT_TYPES = {
    1: "float32", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 8: "complex64",
    9: "int8", 10: "float16", 11: "float64", 12: "complex128", 13: "uint64", 16: "uint32",
    17: "uint16",
}  # fmt: skip


class _RankedTensorType(Structure):
    """LiteRtRankedTensorType: an element type and a LiteRtLayout (rank in 7 bits)."""

    _fields_ = (
        ("element_type", c_int),
        ("rank_bits", c_uint32),
        ("dimensions", c_int32 * _MAX_RANK),
        ("strides", c_uint32 * _MAX_RANK),
    )


class _ProfiledEvent(Structure):
    """ProfiledEventData, with its two memory records of three sizes each left unread."""

    _fields_ = (
        ("tag", c_char_p),
        ("event_type", c_int),
        ("start_us", c_uint64),
        ("elapsed_us", c_uint64),
        ("memory", c_size_t * 6),
        ("metadata1", c_uint64),
        ("metadata2", c_uint64),
        ("source", c_int),
    )


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event that the profiler recorded.

    Attributes:
        tag: the name of the operator or kernel.
        kind: LiteRtProfilerEventType: 2 an operator of the graph, 4 a kernel inside a delegate.
        start_us: when it began, on the profiler's clock.
        elapsed_us: how long it took.
        node: index of the operator in its subgraph, or of the kernel in its delegate.
        subgraph: index of the subgraph; nothing for kernels of a delegate.
    """

    tag: str
    kind: int
    start_us: int
    elapsed_us: int
    node: int
    subgraph: int


@dataclass(frozen=True, kw_only=True)
class TensorType:
    """An input's type as the file declares it.

    Attributes:
        dtype: NumPy's name.
        shape: -1 where the file leaves a dimension open.
    """

    dtype: str
    shape: tuple[int, ...]


class CompiledModel:
    """A file compiled for the CPU; a context manager.

    Args:
        tflite: the file's content.
        threads: threads for the kernels.
        signature: the key of a signature; None for the first.
        profiler: whether runs can be profiled, which slows them down even while nothing is
            recorded.

    Raises:
        RuntimeFailure: the runtime refuses the file, or has another C interface than this.
    """

    def __init__(
        self, tflite: bytes, *, threads: int, signature: str | None, profiler: bool
    ) -> None:
        self._c = LiteRtLibrary()
        self._tflite = tflite  # the runtime reads the buffer in place
        self._undo = ExitStack()
        with ExitStack() as undo:
            self._environment = self._c.make("Environment", undo, 0, None)
            self._model = self._c.make(
                "ModelFromBuffer", undo, self._environment, tflite, c_size_t(len(tflite)),
                destroy="Model",
            )  # fmt: skip
            self._compiled = self._c.make(
                "CompiledModel", undo, self._environment, self._model,
                self._options(undo, threads, profiler=profiler),
            )  # fmt: skip
            self._signature, self._handle = self._find(signature)
            if profiler:
                self._profiler = self._c.get("CompiledModelGetProfiler", self._compiled)
            self._undo = undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()

    def input_types(self) -> dict[str, TensorType]:
        """The signature's inputs by name.

        Raises:
            RuntimeFailure: no values can be generated for an input's type (a string, a resource).
        """
        types = {}
        for index in range(self._c.count("GetNumSignatureInputs", self._handle)):
            at = c_size_t(index)
            name = cast(self._c.get("GetSignatureInputName", self._handle, at), c_char_p).value
            tensor = self._c.get("GetSignatureInputTensorByIndex", self._handle, at)
            types[(name or b"").decode(errors="replace")] = self._type_of(tensor)
        return types

    def prepare(self, inputs: Mapping[str, Any]) -> None:
        """Resizes what the file leaves open, makes the buffers and fills in the inputs.

        Args:
            inputs: arrays by name, of the tensors' own types, in the order of `input_types`.
        """
        types = self.input_types()
        for index, (name, array) in enumerate(inputs.items()):
            if types[name].shape != array.shape:
                sizes = (c_int * array.ndim)(*array.shape)
                self._c.call(
                    "CompiledModelResizeInputTensorNonStrict", self._compiled, self._signature,
                    c_size_t(index), sizes, c_size_t(array.ndim),
                )  # fmt: skip
        self._inputs = (c_void_p * len(inputs))()
        for index, (name, array) in enumerate(inputs.items()):
            kind = _ranked(types[name].dtype, array.shape)
            self._inputs[index] = self._buffer("Input", index, kind)
            self._write(self._inputs[index], array)
        self._outputs = self._output_buffers()

    def run(self) -> None:
        """Runs once on the buffers."""
        self._c.call(
            "RunCompiledModel", self._compiled, self._signature,
            c_size_t(len(self._inputs)), self._inputs,
            c_size_t(len(self._outputs)), self._outputs,
        )  # fmt: skip

    def start_profiler(self) -> None:
        """Records events from now on, and forgets the earlier ones."""
        self._c.call("StartProfiler", self._profiler)

    def stop_profiler(self) -> None:
        """Records no further events; those it has can still be read."""
        self._c.call("StopProfiler", self._profiler)

    def events(self) -> list[Event]:
        """The events recorded since the profiler was started, by start time."""
        count = c_int()
        self._c.call("GetNumProfilerEvents", self._profiler, byref(count))
        raw = (_ProfiledEvent * count.value)()
        self._c.call("GetProfilerEvents", self._profiler, count, raw)
        return [
            Event(
                tag=(event.tag or b"").decode(errors="replace"),
                kind=event.event_type,
                start_us=event.start_us,
                elapsed_us=event.elapsed_us,
                node=event.metadata1,
                subgraph=event.metadata2,
            )
            for event in raw
        ]

    def _options(self, undo: ExitStack, threads: int, *, profiler: bool) -> c_void_p:
        options = self._c.make("Options", undo)
        self._c.call("SetOptionsHardwareAccelerators", options, c_int(_CPU))
        for name, text in (
            (_RUNTIME_OPTIONS, b"enable_profiling = %s\n" % (b"true" if profiler else b"false")),
            (_CPU_OPTIONS, b"num_threads = %d\n" % threads),
        ):
            opaque = c_void_p()
            # The runtime frees the text with the C library's free, so it comes from there too.
            libc = ctypes.CDLL(None)
            libc.strdup.restype = c_void_p
            payload = c_void_p(libc.strdup(text))
            self._c.call("CreateOpaqueOptions", name, payload, libc.free, byref(opaque))
            self._c.call("AddOpaqueOptions", options, opaque)
        return options

    def _find(self, signature: str | None) -> tuple[c_size_t, c_void_p]:
        """The index and the handle of the signature to run."""
        for index in range(self._c.count("GetNumModelSignatures", self._model)):
            handle = self._c.get("GetModelSignature", self._model, c_size_t(index))
            key = cast(self._c.get("GetSignatureKey", handle), c_char_p).value or b""
            if signature is None or key == signature.encode():
                return c_size_t(index), handle
        raise RuntimeFailure(f"LiteRT's C interface finds no signature {signature!r} in the file")

    def _type_of(self, tensor: c_void_p) -> TensorType:
        ranked = _RankedTensorType()
        self._c.call("GetRankedTensorType", tensor, byref(ranked))
        if ranked.element_type not in ELEMENT_TYPES:
            raise RuntimeFailure(
                f"an input has element type {ranked.element_type}, which cannot be passed "
                f"through LiteRT's C interface"
            )
        rank = ranked.rank_bits & 0x7F
        return TensorType(
            dtype=ELEMENT_TYPES[ranked.element_type], shape=tuple(ranked.dimensions[:rank])
        )

    def _output_buffers(self) -> Any:
        count = self._c.count("GetNumSignatureOutputs", self._handle)
        layouts = (_RankedTensorType * count)()
        plain = (ctypes.c_char * (68 * count))()
        self._c.call(
            "GetCompiledModelOutputTensorLayouts", self._compiled, self._signature,
            c_size_t(count), plain, ctypes.c_bool(True),
        )  # fmt: skip
        outputs = (c_void_p * count)()
        for index in range(count):
            tensor = self._c.get("GetSignatureOutputTensorByIndex", self._handle, c_size_t(index))
            self._c.call("GetRankedTensorType", tensor, byref(layouts[index]))
            ctypes.memmove(
                ctypes.addressof(layouts[index]) + 4, ctypes.addressof(plain) + 68 * index, 68
            )
            outputs[index] = self._buffer("Output", index, layouts[index])
        return outputs

    def _buffer(self, side: str, index: int, kind: _RankedTensorType) -> int | None:
        requirements = self._c.get(
            f"GetCompiledModel{side}BufferRequirements",
            self._compiled, self._signature, c_size_t(index),
        )  # fmt: skip
        buffer = c_void_p()
        self._c.call(
            "CreateManagedTensorBufferFromRequirements", self._environment, byref(kind),
            requirements, byref(buffer),
        )  # fmt: skip
        self._undo.callback(self._c.function("DestroyTensorBuffer"), buffer)
        return buffer.value

    def _write(self, buffer: int | None, array: Any) -> None:
        address = c_void_p()
        handle = c_void_p(buffer)
        self._c.call("LockTensorBuffer", handle, byref(address), c_int(_LOCK_FOR_WRITING))
        data = array.tobytes()
        ctypes.memmove(address, data, len(data))
        self._c.call("UnlockTensorBuffer", handle)


def _ranked(dtype: str, shape: tuple[int, ...]) -> _RankedTensorType:
    codes = {name: code for code, name in ELEMENT_TYPES.items()}
    sizes = (c_int32 * _MAX_RANK)(*shape)
    return _RankedTensorType(element_type=codes[dtype], rank_bits=len(shape), dimensions=sizes)
