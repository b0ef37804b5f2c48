"""Weights of 8, 4 or 2 bits in files whose activations stay in float.

What the stock runtime (LiteRT 2.3) does with them, found by trying each on x86-64:

- FULLY_CONNECTED reads 8, 4 and 2 bits and multiplies integers (its inputs are quantized on the
  way in): faster than float, 4 bits as fast as 8, 2 bits a little slower.
- CONV_2D of 1x1 with stride 1: as FULLY_CONNECTED, which it becomes.
- Other CONV_2D read 8 bits in a third to two thirds of float's time, and 4 bits in 1.2 to 1.6
  times of it; with 2 bits they output NaN.
- DEPTHWISE_CONV_2D reads 8 bits in 1.6 times of float's time, and refuses 4 and 2.
- A DEQUANTIZE between weights and operator works for all bits and operators. That of 8 bits runs
  once, and the operator is as fast as in float. That of 4 and 2 bits runs each time, and keeps
  XNNPACK from the operator behind it: 1.3 (depthwise) to 3.4 times of float's time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tflite_squeeze.emission.low_bit.emit import (
    FEW_WEIGHTS,
    cover,
    why_not_covering,
    write_integers,
)
from tflite_squeeze.emission.low_bit.few_bits import (
    OperatorWeight,
    Stored,
    float_weights,
    stored_weights,
)
from tflite_squeeze.emission.low_bit.grids import Grid, grid_for
from tflite_squeeze.emission.low_bit.record import FewBitTensor
from tflite_squeeze.emission.low_bit.weight_only import behind_dequantize
from tflite_squeeze.network.quantization.plan import WeightBits
from tflite_squeeze.tflite.edits import new_buffer
from tflite_squeeze.tflite.fields import integers, text
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.quantization_plan import WEIGHTED
from tflite_squeeze.tflite.tidy import tidied, with_short_names
from tflite_squeeze.tflite.weights import weights_of

Array = NDArray[Any]
Minimize = Literal["bytes", "latency"]

_TYPES: dict[WeightBits, Stored] = {8: "int8", 4: "int4", 2: "int2"}
_PER_CHANNEL_BYTES = 4  # a scale; zero points are shared
_TABLE_BYTES = 48  # of quantization
_DEQUANTIZE_BYTES = 96  # a tensor and an operator


@dataclass(frozen=True, kw_only=True)
class FewBits:
    """A file with weights in few bits, and what was done to each.

    Attributes:
        tflite: the file.
        tensors: every weight of a convolution or Dense layer that the file had in float.
    """

    tflite: bytes
    tensors: tuple[FewBitTensor, ...]


def in_few_bits(
    tflite: bytes,
    bits: WeightBits,
    *,
    minimize: Minimize = "bytes",
    known: Sequence[Grid] = (),
) -> FewBits:
    """Stores the float weights of Dense layers and convolutions in few bits.

    Args:
        tflite: a file with activations in float.
        bits: of weights that no known grid holds.
        minimize: "bytes" takes them everywhere, and only the first of the names of operators that
            were fused; "latency" leaves 8 where fewer make the operator slow.
        known: the grids of the network that the file was made of.

    Returns:
        The new file. Weights stay in float where integers and scales take more bytes.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> in_few_bits(tflite, 4).tensors[0].stored
        'int4'
    """
    model = read_model(tflite)
    done = []
    for weight in list(float_weights(model)):
        rows = np.moveaxis(weight.values, weight.axis, 0)
        rows = rows.reshape(weight.values.shape[weight.axis], -1)
        fewest = bits if minimize == "bytes" or _is_fast(weight) else 8
        grid = grid_for(rows, fewest, known)
        done.append(_stored(model, weight, grid))
    stored = pack_model(model)
    if minimize == "bytes":
        stored = with_short_names(stored)
    return FewBits(tflite=tidied(stored), tensors=tuple(done))


def has_other_weights(tflite: bytes) -> bool:
    """Whether a file has large float weights that `in_few_bits` leaves alone, such as an LSTM's.

    Args:
        tflite: a float file.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    known = {int(one.tensor.buffer) for one in float_weights(model)}
    return any(
        one.dtype == "float32" and one.elements >= FEW_WEIGHTS and one.buffer not in known
        for one in weights_of(model)
    )


def left_in_float(tflite: bytes) -> dict[str, int]:
    """How many matrices stay in float, since they are small and `in_few_bits` leaves them alone.

    Args:
        tflite: a file of few bits.

    Returns:
        By the operator that reads them, such as UNIDIRECTIONAL_SEQUENCE_LSTM.

    Raises:
        InputError: the file is damaged.
    """
    model, found = read_model(tflite), dict[str, int]()
    known = {int(one.tensor.buffer) for one in float_weights(model)}
    for links in (Links(model, subgraph) for subgraph in range(len(model.subgraphs))):
        for operator, name in enumerate(links.names):
            for at in links.inputs(operator) if name in WEIGHTED else ():
                tensor = links.graph.tensors[at]
                matrix = links.dtype(at) == "float32" and len(links.shape(at)) > 1
                if matrix and at not in links.producer and links.data_bytes(at):
                    found[name] = found.get(name, 0) + (int(tensor.buffer) not in known)
    return {name: count for name, count in found.items() if count}


def with_float_weights(tflite: bytes, original: bytes) -> bytes:
    """A dynamic file of the converter whose Dense layers and convolutions are in float again.

    Args:
        tflite: the dynamic file.
        original: the float file of the same model.

    Returns:
        The file; what has other operators keeps its 8 bits.

    Raises:
        InputError: a file is damaged.
    """
    floats = read_model(original)
    there = {_key(one): one.values for one in float_weights(floats)}
    model = read_model(tflite)
    for weight in list(stored_weights(model, "int8", ("float32",))):
        values = there.get(_key(weight))
        if values is not None and values.shape == weight.values.shape:
            weight.tensor.type = schema.TensorType.FLOAT32
            weight.tensor.quantization = None
            weight.tensor.buffer = new_buffer(model, values)
    return tidied(pack_model(model))


def _key(weight: OperatorWeight) -> str:
    return text(weight.graph.tensors[int(weight.operator.outputs[0])].name)


def _is_fast(weight: OperatorWeight) -> bool:
    """Whether an operator is as fast with fewer bits than 8."""
    return weight.name == "FULLY_CONNECTED" or _is_matrix(weight)


def _is_matrix(weight: OperatorWeight) -> bool:
    return weight.name == "CONV_2D" and not why_not_covering(weight)


def _stored(model: Any, weight: OperatorWeight, grid: Grid) -> FewBitTensor:
    """Puts a weight on its grid, in the form in which its operator takes it."""
    kind: Stored = _TYPES[grid.bits]
    name, shape = text(weight.tensor.name), integers(weight.tensor.shape)
    dequantizes = weight.name == "DEPTHWISE_CONV_2D" or (
        weight.name == "CONV_2D" and kind == "int2" and not _is_matrix(weight)
    )
    before = 4 * weight.values.size
    after = math.ceil(weight.values.size * grid.bits / 8) + _PER_CHANNEL_BYTES * len(grid.scales)
    pays = after + _TABLE_BYTES + _DEQUANTIZE_BYTES * dequantizes < before
    about = {"tensor": name, "layer": grid.layer, "operator": weight.name, "shape": shape}
    if not pays:
        return FewBitTensor(
            **about, stored="float32", form="float", bytes_before=before, bytes_after=before
        )
    moved = np.moveaxis(weight.values, weight.axis, 0).shape
    codes = np.moveaxis(grid.codes.reshape(moved), 0, weight.axis)
    if dequantizes:
        behind_dequantize(model, weight, codes, grid.scales, kind)
    else:
        _read_directly(model, weight, codes, grid.scales, kind)
    return FewBitTensor(
        **about,
        stored=kind,
        form="dequantized" if dequantizes else "integers",
        bytes_before=before,
        bytes_after=after,
    )


def _read_directly(
    model: Any, weight: OperatorWeight, codes: Array, scales: Array, kind: Stored
) -> None:
    if _is_matrix(weight):
        cover(model, weight)
    write_integers(model, weight, codes, scales, kind)
