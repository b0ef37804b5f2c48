"""The interface of a .tflite file for an Android application, read from its bytes."""

import math
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import numpy as np

from tflite_squeeze.android.kotlin_names import camel_names
from tflite_squeeze.errors import InputError, UnsupportedError
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tflite.fields import (
    BUILTIN_OPERATORS,
    LITERT_CUSTOM_OPERATORS,
    TFLM_OPERATORS,
    dtype_name,
    integers,
    items,
    operator_name,
    scales_of,
    shape_of,
    text,
    zero_points_of,
)
from tflite_squeeze.tflite.flatbuffer import metadata_of, read_model

# What the Java interface can hand over, and the Kotlin array that holds it.
_ARRAYS = {
    "float32": "FloatArray",
    "int8": "ByteArray",
    "uint8": "ByteArray",
    "int16": "ShortArray",
    "int32": "IntArray",
    "int64": "LongArray",
    "bool": "BooleanArray",
}
_QUANTIZABLE = ("int8", "uint8", "int16", "int32")
# The last version whose select operators were published for Android.
SELECT_OPS_VERSION = "2.16.1"


class Runtime(StrEnum):
    """The Android library that runs a file."""

    LITERT = "litert"
    SELECT_OPS = "select-ops"


class State(StrEnum):
    """What a file keeps from one run to the next.

    `CELLS`: tensors that are variable, such as the cells of a fused LSTM, which the interpreter
    can set to zero. `VARIABLES`: resource variables, which only a new interpreter resets.
    """

    NONE = "none"
    CELLS = "cells"
    VARIABLES = "variables"


class AndroidTensor(Frozen):
    """An input or output as the application sees it.

    Attributes:
        name: its name in the signature, or the tensor's own in a file without signatures.
        identifier: its name in Kotlin.
        position: its place among the inputs or outputs of its subgraph.
        shape: the shape of the tensor, batch included.
        dtype: the tensor's type, as NumPy names it.
        scale: quantization scale; 0 where the tensor is not quantized.
        zero_point: quantization zero point.
    """

    name: str
    identifier: str
    position: int
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0

    @property
    def quantized(self) -> bool:
        """Whether its integers are quantized real values."""
        return self.scale != 0

    @property
    def array(self) -> str:
        """The Kotlin array that holds its values; of floats where it is quantized."""
        return "FloatArray" if self.quantized else _ARRAYS[self.dtype]

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest of its integers."""
        limits = np.iinfo(self.dtype)
        return limits.min, limits.max

    @property
    def elements(self) -> int:
        """How many values it holds."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """How many bytes the tensor takes."""
        return self.elements * np.dtype(self.dtype).itemsize


class AndroidInterface(Frozen):
    """How a file is called, and by what.

    Attributes:
        signature: the key of the signature that is called; None for a file without any.
        signatures: how many signatures the file has.
        inputs: in the order of the signature.
        outputs: the same way.
        runtime: the library that runs it.
        select_operators: TensorFlow operators that need the Flex delegate.
        state: what is kept between runs.
        main_subgraph: whether the signature calls the file's first subgraph, which is the one
            that TFLite metadata describe.
    """

    signature: str | None
    signatures: int
    inputs: tuple[AndroidTensor, ...]
    outputs: tuple[AndroidTensor, ...]
    runtime: Runtime
    select_operators: tuple[str, ...] = ()
    state: State
    main_subgraph: bool


def android_interface(tflite: bytes) -> AndroidInterface:
    """Reads how a file is called from Kotlin.

    Args:
        tflite: the file's content.

    Returns:
        Its first signature, or its main subgraph where it has none.

    Raises:
        InputError: the file is damaged, or its signature does not fit its subgraph.
        UnsupportedError: no Android library can run it, or Kotlin cannot hold its tensors.

    Example:
        >>> android_interface(tflite).inputs[0].array
        'FloatArray'
    """
    model = read_model(tflite)
    operators = {
        operator_name(model, operator)
        for graph in model.subgraphs
        for operator in items(graph.operators)
    }
    custom = sorted(operators - BUILTIN_OPERATORS)
    select = tuple(name for name in custom if name.startswith("Flex"))
    _refuse_unknown(name for name in custom if name not in select)
    if select:
        _check_select_version(metadata_of(tflite), select)
    signatures = items(model.signatureDefs)
    subgraph = signatures[0].subgraphIndex if signatures else 0
    graph = model.subgraphs[subgraph]
    if signatures:
        inputs = [(text(one.name), int(one.tensorIndex)) for one in items(signatures[0].inputs)]
        outputs = [(text(one.name), int(one.tensorIndex)) for one in items(signatures[0].outputs)]
    else:
        inputs, outputs = _named(graph, graph.inputs), _named(graph, graph.outputs)
    if not inputs:
        raise UnsupportedError(
            "the file has no inputs, and LiteRT's Java interface cannot run such a file: give the "
            "model an input"
        )
    names = camel_names([name for name, _ in inputs], "input")
    output_names = camel_names([name for name, _ in outputs], "output", names)
    return AndroidInterface(
        signature=text(signatures[0].signatureKey) if signatures else None,
        signatures=len(signatures),
        inputs=_tensors(graph, dict(zip(names, inputs, strict=True)), "input"),
        outputs=_tensors(graph, dict(zip(output_names, outputs, strict=True)), "output"),
        runtime=Runtime.SELECT_OPS if select else Runtime.LITERT,
        select_operators=select,
        state=_state(model, operators),
        main_subgraph=subgraph == 0,
    )


def _refuse_unknown(names: Iterable[str]) -> None:
    """Refuses custom operators that no Android library is known to run."""
    unknown = [name for name in names if name not in LITERT_CUSTOM_OPERATORS]
    larq = [name for name in unknown if name.startswith("Lce")]
    if larq:
        raise UnsupportedError(
            f"the file uses Larq's operators {', '.join(larq)}, which LiteRT's Android library "
            f"does not have, and no published library adds them: build Larq Compute Engine's "
            f"own Android library from its sources, or convert the model without binary layers"
        )
    if tflm := TFLM_OPERATORS.intersection(unknown):
        raise UnsupportedError(
            f"the file uses operators of TensorFlow Lite for Microcontrollers (TFLM), which LiteRT "
            f"cannot run ({', '.join(sorted(tflm))}): export micro writes it for microcontrollers"
        )
    if unknown:
        raise UnsupportedError(
            f"the file uses operators that LiteRT's Android library does not have "
            f"({', '.join(unknown)}): replace the layers that they come from"
        )


def _check_select_version(metadata: dict[str, bytes], select: tuple[str, ...]) -> None:
    """Refuses select operators beside built-in ones that are newer than their library."""
    needed = metadata.get("min_runtime_version", b"").rstrip(b"\0").decode(errors="replace")
    if _version(needed) > _version(SELECT_OPS_VERSION):
        raise UnsupportedError(
            f"the file uses TensorFlow operators ({', '.join(select)}), whose last Android library "
            f"is tensorflow-lite-select-tf-ops {SELECT_OPS_VERSION}, and built-in operators that "
            f"need version {needed}: replace the layers that the former come from"
        )


def _version(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", number))


def _named(graph: Any, indices: Any) -> list[tuple[str, int]]:
    """Tensors by name; a name that is empty or taken gets its tensor's index."""
    named: dict[str, int] = {}
    for index in integers(indices):
        name = text(graph.tensors[index].name) or "tensor"
        named[name if name not in named else f"{name}#{index}"] = index
    return list(named.items())


def _tensors(graph: Any, named: dict[str, tuple[str, int]], what: str) -> tuple[AndroidTensor, ...]:
    order = integers(graph.inputs if what == "input" else graph.outputs)
    tensors = []
    for identifier, (name, index) in named.items():
        if index not in order:
            raise InputError(
                f"the signature's {what} {name!r} is no {what} of its subgraph: convert it again"
            )
        tensor = graph.tensors[index]
        dtype = dtype_name(tensor)
        if dtype not in _ARRAYS:
            raise UnsupportedError(
                f"{what} {name!r} is of type {dtype}, which LiteRT's Java interface does not "
                f"pass as numbers: convert the model with {what}s of float32 or integers"
            )
        _refuse_open(name, shape_of(tensor), what)
        scale, zero_point = _quantization(name, tensor, what) if dtype in _QUANTIZABLE else (0.0, 0)
        tensors.append(
            AndroidTensor(
                name=name,
                identifier=identifier,
                position=order.index(index),
                shape=integers(tensor.shape),
                dtype=dtype,
                scale=scale,
                zero_point=zero_point,
            )
        )
    return tuple(tensors)


def _refuse_open(name: str, shape: tuple[int, ...], what: str) -> None:
    """Refuses a shape with open dimensions other than the batch, which becomes 1."""
    if what == "input" and any(size < 0 for size in shape[1:]):
        sizes = ",".join("?" if size < 0 else str(size) for size in shape)
        raise UnsupportedError(
            f"input {name!r} has the open shape ({sizes}), and the Kotlin class takes a fixed "
            f"one: convert the model with --input-shape"
        )


def _quantization(name: str, tensor: Any, what: str) -> tuple[float, int]:
    scales = scales_of(tensor)
    if len(scales) > 1:
        raise UnsupportedError(
            f"{what} {name!r} has a scale per channel: convert the model with a single one, or "
            f"with float32 {what}s"
        )
    if len(scales) == 0:
        return 0.0, 0
    return float(scales[0]), int(zero_points_of(tensor)[0])


def _state(model: Any, operators: set[str]) -> State:
    if "VAR_HANDLE" in operators:
        return State.VARIABLES
    variable = any(tensor.isVariable for graph in model.subgraphs for tensor in graph.tensors)
    return State.CELLS if variable else State.NONE
