"""Weights of a file in fewer bytes, its inputs and outputs in float as they were.

Both modes are those of TensorFlow's converter, on a graph that it has already written: float16
behind a DEQUANTIZE, which the runtime undoes once; or int8 for the operators whose kernels
quantize their inputs on every run ("dynamic").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tflite_squeeze.emission.low_bit.emit import FEW_WEIGHTS
from tflite_squeeze.emission.low_bit.few_bits import rounded_to_bytes, store_codes
from tflite_squeeze.tflite.edits import (
    new_buffer,
    new_operator,
    new_tensor,
    operator_code,
    place_of,
)
from tflite_squeeze.tflite.fields import dtype_name, integers, text
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.tensor_values import tensor_values
from tflite_squeeze.tflite.tidy import tidied

Array = NDArray[Any]

# A DEQUANTIZE and its tensor take about as many bytes as that many halves save.
_FEW_HALVES = 64


@dataclass(frozen=True)
class _Kernel:
    """How an operator takes weights of 8 bits.

    Attributes:
        slots: the inputs that are weights.
        axis: of them, the one with a scale for each index; None for one scale in all.
        version: of the operator, that takes them.
    """

    slots: tuple[int, ...]
    axis: int | None
    version: int


_KERNELS = {
    "FULLY_CONNECTED": _Kernel((1,), 0, 12),
    "CONV_2D": _Kernel((1,), 0, 5),
    "DEPTHWISE_CONV_2D": _Kernel((1,), 3, 6),
    "TRANSPOSE_CONV": _Kernel((1,), 0, 2),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _Kernel(tuple(range(1, 9)), None, 3),
    "GATHER": _Kernel((0,), None, 2),
}


def with_int8_weights(
    tflite: bytes, *, per_channel_dense: bool = True, least: int = FEW_WEIGHTS
) -> bytes:
    """A file whose large weights are 8-bit integers, which its operators multiply as such.

    Args:
        tflite: a float file.
        per_channel_dense: whether FULLY_CONNECTED has a scale for each output.
        least: how many weights a tensor has at least; smaller ones stay in float.

    Returns:
        The file, with tables of GATHER in 8 bits too, and a DEQUANTIZE behind them.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> len(with_int8_weights(tflite)) < len(tflite)
        True
    """
    model = read_model(tflite)
    for subgraph in range(len(model.subgraphs)):
        links = Links(model, subgraph)
        for tensor, values in list(_float_constants(links, least)):
            readers = links.readers.get(tensor, [])
            name = links.names[readers[0]] if readers else ""
            kernel = _KERNELS.get(name)
            if kernel is None or not np.isfinite(values).all():
                continue
            if not _all_weights(links, tensor, name):
                continue
            axis = None if name == "FULLY_CONNECTED" and not per_channel_dense else kernel.axis
            codes, scales = rounded_to_bytes(values, axis)
            store_codes(model, links.graph.tensors[tensor], codes, scales, "int8", axis or 0)
            for operator in [links.graph.operators[at] for at in readers]:
                operator.opcodeIndex = operator_code(model, name, kernel.version)
                if hasattr(operator.builtinOptions, "asymmetricQuantizeInputs"):
                    operator.builtinOptions.asymmetricQuantizeInputs = True
                if name == "GATHER":
                    _dequantize_behind(model, links.graph, operator)
    return pack_model(model)


def _all_weights(links: Links, tensor: int, name: str) -> bool:
    """Whether all who read a tensor are such operators, and read it as weights."""
    for at in links.readers[tensor]:
        given = integers(links.graph.operators[at].inputs)
        slots = {slot for slot, one in enumerate(given) if one == tensor}
        if links.names[at] != name or not slots <= set(_KERNELS[name].slots):
            return False
        if name == "CONV_2D" and _is_grouped(links, given):
            return False
    return tensor not in links.ends


def _is_grouped(links: Links, given: tuple[int, ...]) -> bool:
    """The runtime's kernel that quantizes its inputs knows no groups."""
    return links.shape(given[0])[-1] != links.shape(given[1])[-1]


def _dequantize_behind(model: Any, graph: Any, operator: Any) -> None:
    """Lets a GATHER put out integers, and gives who reads it the floats."""
    table, output = graph.tensors[int(operator.inputs[0])], int(operator.outputs[0])
    between = new_tensor(graph, output, integers(graph.tensors[output].shape))
    graph.tensors[between].shapeSignature = graph.tensors[output].shapeSignature
    graph.tensors[between].type = schema.TensorType.INT8
    graph.tensors[between].quantization = table.quantization
    operator.outputs = np.asarray([between], np.int32)
    added = new_operator(
        model, "DEQUANTIZE", [between], [output], schema.DequantizeOptionsT(), version=2
    )
    graph.operators.insert(place_of(graph, operator) + 1, added)


def with_float16_weights(
    tflite: bytes, *, least: int = _FEW_HALVES
) -> tuple[bytes, tuple[str, ...]]:
    """A file that stores its constants in 16 bits; the runtime widens them as it loads the file.

    Args:
        tflite: a float file.
        least: how many numbers a constant has at least; smaller ones stay in float32.

    Returns:
        The file, and a note on constants that 16 bits cannot hold.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> smaller, notes = with_float16_weights(tflite)
    """
    model = read_model(tflite)
    beyond: list[str] = []
    for subgraph in range(len(model.subgraphs)):
        links = Links(model, subgraph)
        added = []
        for tensor, values in list(_float_constants(links, least)):
            if np.abs(values).max() > np.finfo(np.float16).max:
                beyond.append(text(links.graph.tensors[tensor].name))
            elif links.readers.get(tensor) and tensor not in links.ends:
                added.append(_half(model, links.graph, tensor, values))
        links.graph.operators[:0] = added
    return pack_model(model), _beyond_note(beyond)


def _half(model: Any, graph: Any, tensor: int, values: Array) -> Any:
    """Puts a constant's halves into a tensor of their own, and what widens them behind it."""
    stored = new_tensor(graph, tensor, values.shape)
    graph.tensors[stored].type = schema.TensorType.FLOAT16
    graph.tensors[stored].buffer = new_buffer(model, values.astype(np.float16))
    graph.tensors[tensor].buffer = 0
    return new_operator(
        model, "DEQUANTIZE", [stored], [tensor], schema.DequantizeOptionsT(), version=3
    )


def _beyond_note(names: list[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (
        f"{len(names)} constants stay in float32, since they have values beyond what float16 "
        f"holds: {', '.join(names[:3])}",
    )


def _float_constants(links: Links, least: int) -> Iterator[tuple[int, Array]]:
    """The float32 constants of a subgraph that have at least so many values."""
    for tensor, about in enumerate(links.graph.tensors):
        if dtype_name(about) != "float32" or about.sparsity is not None or about.isVariable:
            continue
        values = tensor_values(links.model, links.subgraph, tensor)
        if values is not None and values.size >= least:
            yield tensor, values


def widened(tflite: bytes) -> tuple[bytes, int]:
    """A file with its float weights as they are multiplied: dense, and in float32.

    Args:
        tflite: any file.

    Returns:
        The file, and how many constants were behind a DENSIFY or a DEQUANTIZE of float16; the same
        bytes where there are none.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    count = 0
    for subgraph in range(len(model.subgraphs)):
        links = Links(model, subgraph)
        kept = []
        # In order of execution, so that what is behind a DENSIFY is a constant by then.
        for at, operator in enumerate(links.graph.operators):
            if links.names[at] in ("DENSIFY", "DEQUANTIZE") and _fold(links, at):
                count += 1
            else:
                kept.append(operator)
        links.graph.operators = kept
    return (tidied(pack_model(model)), count) if count else (tflite, 0)


def _fold(links: Links, at: int) -> bool:
    """Gives what an operator puts out the values that it would; whether these are floats."""
    source, target = links.inputs(at)[0], links.outputs(at)[0]
    if not links.dtype(source).startswith("float"):
        return False
    values = tensor_values(links.model, links.subgraph, source)
    if values is None:
        return False
    about = links.graph.tensors[target]
    about.buffer = new_buffer(links.model, values.astype(dtype_name(about)))
    return True
