"""A .tflite file opened in LiteRT's interpreter: its signatures, tensors, feeding and reading.

Runs in a child process (see `process`); the file may crash whoever calls this.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError, RuntimeFailure, shortened
from tflite_squeeze.tflite.fields import TFLM_OPERATORS

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An input or output of a signature, as the file declares it.

    Attributes:
        name: its name in the signature, or the tensor's own where the file has no signature.
        index: the tensor's index in its subgraph.
        shape: the declared shape; -1 where the file leaves a dimension open.
        dtype: NumPy's name of the type; strings are "bytes".
        scale: quantization scale, 0 when the tensor is not quantized.
        zero_point: quantization zero point.
    """

    name: str
    index: int
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int

    @property
    def default_shape(self) -> tuple[int, ...]:
        """The shape with 1 in place of every open dimension."""
        return tuple(1 if size < 0 else size for size in self.shape)


class Session:
    """One signature of one file, ready to run.

    Args:
        path: the .tflite file.
        signature: the key of a signature; None for the only or the first one, or for the main
            subgraph of a file that has none.
        threads: threads for the kernels.
        keep_tensors: keeps every tensor readable, which rules the delegate out.
        delegate: whether XNNPACK takes over what it can; else the built-in kernels run it all.

    Attributes:
        init_ns: nanoseconds that loading and preparing the file took up to now.

    Raises:
        InputError: the file cannot be read, or has no such signature.
        RuntimeFailure: the runtime cannot prepare it.
    """

    def __init__(
        self,
        path: Path,
        *,
        signature: str | None,
        threads: int,
        keep_tensors: bool = False,
        delegate: bool = True,
    ) -> None:
        self._arguments = {
            "model_path": str(path),
            "num_threads": threads,
            "experimental_preserve_all_tensors": keep_tensors,
            "experimental_op_resolver_type": (
                OpResolverType.AUTO
                if delegate and not keep_tensors
                else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            ),
        }
        self._prepared_for: list[tuple[int, ...]] | None = None
        self._used = False
        self.subgraph = 0
        with litert_errors():
            begin = time.perf_counter_ns()
            self.interpreter = Interpreter(**self._arguments)
            self.init_ns = time.perf_counter_ns() - begin
            keys = list(self.interpreter.get_signature_list())
        self.signature = _chosen(signature, keys)
        with litert_errors():
            if self.signature is not None:
                runner = self.interpreter.get_signature_runner(self.signature)
                self.subgraph = int(runner._subgraph_index)
                inputs, outputs = runner.get_input_details(), runner.get_output_details()
            else:
                inputs = _by_name(self.interpreter.get_input_details())
                outputs = _by_name(self.interpreter.get_output_details())
        self.inputs = [endpoint_of(name, detail) for name, detail in inputs.items()]
        self.outputs = [endpoint_of(name, detail) for name, detail in outputs.items()]
        self._keeps_resources = self._has_resources()

    def run(self, feeds: Mapping[str, Array], *, fresh: bool = True) -> dict[str, Array]:
        """Runs once on arrays of the tensors' own types; returns the outputs as they come.

        Args:
            feeds: by input.
            fresh: starts from the file's initial state, else from where the last run left off.
        """
        with litert_errors():
            # Every example starts from the same state, whatever ran before it. The interpreter
            # can reset the cells of an LSTM, but not resource variables.
            if fresh and self._keeps_resources and self._used:
                self.interpreter = Interpreter(**self._arguments)
                self._prepared_for = None
            self._used = True
            self._prepare([feeds[endpoint.name].shape for endpoint in self.inputs])
            if fresh:
                self.interpreter.reset_all_variables()
            if self.signature is not None:
                # Made anew each time: while one exists, the interpreter refuses to reset.
                runner = self.interpreter.get_signature_runner(self.signature)
                result: dict[str, Array] = runner(**feeds)
                return result
            for endpoint in self.inputs:
                self.interpreter.set_tensor(endpoint.index, feeds[endpoint.name])
            self.interpreter.invoke()
            return {out.name: self.interpreter.get_tensor(out.index) for out in self.outputs}

    def invoker(self, feeds: Mapping[str, Array]) -> Callable[[], Any]:
        """Prepares for these inputs, sets them, and returns the bare invoke, for timing.

        State is kept from call to call, as in an application that runs a stream.
        """
        with litert_errors():
            begin = time.perf_counter_ns()
            self._prepare([feeds[endpoint.name].shape for endpoint in self.inputs])
            # Taken after preparing: the interpreter refuses to allocate while this is held.
            wrapper = self.interpreter._interpreter
            if self.subgraph != 0:
                for endpoint in self.inputs:
                    shape = np.array(feeds[endpoint.name].shape, np.int32)
                    wrapper.ResizeInputTensor(endpoint.index, shape, False, self.subgraph)
                wrapper.AllocateTensors(self.subgraph)
            self.init_ns += time.perf_counter_ns() - begin
            for endpoint in self.inputs:
                wrapper.SetTensor(endpoint.index, feeds[endpoint.name], self.subgraph)
        self._used = True
        return partial(wrapper.Invoke, self.subgraph)

    def caller(self, feeds: Mapping[str, Array]) -> Callable[[], Any]:
        """Prepares for these inputs, and returns a call from NumPy arrays to NumPy arrays."""
        invoke = self.invoker(feeds)
        wrapper = self.interpreter._interpreter
        given = [(end.index, feeds[end.name], self.subgraph) for end in self.inputs]
        made = [(end.index, self.subgraph) for end in self.outputs]

        def call() -> list[Array]:
            for each in given:
                wrapper.SetTensor(*each)
            invoke()
            return [wrapper.GetTensor(*each) for each in made]

        return call

    def _has_resources(self) -> bool:
        """Whether the file holds resource variables: their handles read as NumPy objects."""
        return any(
            detail["dtype"] is np.object_
            for subgraph in range(self.interpreter.num_subgraphs())
            for detail in self.interpreter.get_tensor_details(subgraph)
        )

    def _prepare(self, shapes: list[tuple[int, ...]]) -> None:
        """Allocates for inputs of these shapes, unless that was done.

        The interpreter's own allocation, and not a signature's, puts the delegate to work.
        """
        if shapes == self._prepared_for:
            return
        if self.subgraph == 0:
            for endpoint, shape in zip(self.inputs, shapes, strict=True):
                self.interpreter.resize_tensor_input(endpoint.index, shape)
        self.interpreter.allocate_tensors()
        self._prepared_for = shapes


@contextmanager
def litert_errors() -> Iterator[None]:
    """Turns LiteRT's exceptions into one line that a user can act on."""
    try:
        yield
    except (ValueError, RuntimeError, TypeError, MemoryError) as error:
        raise failure(str(error) or type(error).__name__) from error


def failure(said: str) -> RuntimeFailure:
    """The error for a message of LiteRT.

    Args:
        said: its message, any number of lines.

    Returns:
        An error of one line.
    """
    missing = re.search(r"unresolved custom op: (\S+?)\.?(?:\s|$)", said)
    if missing and missing[1].startswith("Flex"):
        return RuntimeFailure(
            f"the LiteRT runtime lacks operator {missing[1]}, a TensorFlow operator: run the file "
            f"where the Flex delegate is linked in, or replace the layer that it comes from"
        )
    if "Select TensorFlow op" in said:
        return RuntimeFailure(
            "this file uses TensorFlow operators (select ops), which the LiteRT runtime alone does "
            "not have: run it where the Flex delegate is linked in, or replace the layers that "
            "they come from"
        )
    if missing and missing[1] in TFLM_OPERATORS:
        return RuntimeFailure(
            f"{missing[1]} is an operator of TensorFlow Lite for Microcontrollers (TFLM), which "
            f"LiteRT cannot run: use profile --runtime micro, or export micro"
        )
    if missing:
        return RuntimeFailure(
            f"the LiteRT runtime lacks the custom operator {missing[1]}: run the file in the "
            f"runtime that it was made for"
        )
    version = re.search(r"builtin opcode '(\S+)' version '(\d+)'", said)
    if version:
        return RuntimeFailure(
            f"this LiteRT runtime lacks operator {version[1]} version {version[2]}: convert the "
            f"model with an older converter, or install a newer ai-edge-litert"
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    first = shortened(lines[0], 300) if lines else "no reason given"
    return RuntimeFailure(
        f"the LiteRT runtime refused this file ({first}): it is damaged, or not supported"
    )


def _chosen(signature: str | None, keys: list[str]) -> str | None:
    """The signature to run."""
    if signature is None:
        return keys[0] if keys else None
    if signature not in keys:
        known = ", ".join(keys) or "none at all"
        raise InputError(f"the file has no signature {signature!r}: it has {known}")
    return signature


def _by_name(details: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Tensors by name; a name that is empty or taken gets its tensor's index."""
    named: dict[str, dict[str, Any]] = {}
    for detail in details:
        name = detail["name"] or "tensor"
        named[name if name not in named else f"{name}#{detail['index']}"] = detail
    return named


def endpoint_of(name: str, detail: dict[str, Any]) -> Endpoint:
    """Reads what LiteRT reports about a tensor, without per-channel quantization."""
    declared = detail["shape_signature"]
    shape = detail["shape"] if len(declared) != len(detail["shape"]) else declared
    parameters = detail["quantization_parameters"]
    single = len(parameters["scales"]) == 1
    return Endpoint(
        name=name,
        index=int(detail["index"]),
        shape=tuple(int(size) for size in shape),
        dtype=np.dtype(detail["dtype"]).name,
        scale=float(parameters["scales"][0]) if single else 0.0,
        zero_point=int(parameters["zero_points"][0]) if single else 0,
    )


def quantized(values: Array, endpoint: Endpoint) -> Array:
    """Real values as the tensor's integers, q = round(x / scale) + zero_point, clipped."""
    limits = np.iinfo(endpoint.dtype)
    levels = np.rint(values.astype(np.float64) / endpoint.scale) + endpoint.zero_point
    clipped: Array = np.clip(levels, limits.min, limits.max).astype(endpoint.dtype)
    return clipped


def dequantized(values: Array, endpoint: Endpoint) -> Array:
    """A tensor's values as float32 where they are quantized, else as they are."""
    if endpoint.scale != 0 and np.issubdtype(values.dtype, np.integer):
        shifted = values.astype(np.float64) - endpoint.zero_point
        return (shifted * endpoint.scale).astype(np.float32)
    if np.issubdtype(values.dtype, np.floating) or values.dtype.kind == "V":
        return values.astype(np.float32)
    return values
