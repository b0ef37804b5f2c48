"""The values of a file's constant tensors: packed, sparse and quantized ones too."""

import math
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError, UnsupportedError
from tflite_squeeze.tflite.fields import (
    buffer_bytes,
    dtype_name,
    integers,
    items,
    operator_name,
    scales_of,
    text,
    zero_points_of,
)

Array = NDArray[Any]

_PACKED_BITS = {"int4": 4, "uint4": 4, "int2": 2}
_MOST_ELEMENTS = 2**34  # of a file of 2 GB
# A file of a few bytes may describe a sparse tensor of any size. One number kept of 4096 is far
# sparser than anything that still answers correctly; small tensors may be emptier.
_MOST_ELEMENTS_PER_VALUE, _FEW_ELEMENTS = 4096, 2**16


def tensor_values(model: Any, subgraph: int, tensor: int) -> Array | None:
    """The values of a constant tensor as they are stored, unpacked and dense.

    Args:
        model: what `read_model` returned.
        subgraph: the index of the subgraph.
        tensor: the index of the tensor in it.

    Returns:
        An array of the tensor's shape: int8 or uint8 for 4 and 2 bits, float32 for bfloat16, else
        of the tensor's type; None for a tensor without data of its own, or without numbers.

    Raises:
        InputError: the data do not fill the tensor's shape.

    Example:
        >>> tensor_values(read_model(tflite), 0, 1).shape
        (10, 300)
    """
    about = model.subgraphs[subgraph].tensors[tensor]
    data = buffer_bytes(model.buffers[about.buffer])
    if not data:
        return None
    shape = integers(about.shape)
    stored = _stored(about, shape)
    values = _numbers(data, dtype_name(about), stored)
    if values is None:
        return None
    # Of a shape with a 0 in it, NumPy still multiplies the other numbers.
    endless = about.sparsity is None and math.prod(max(size, 1) for size in shape) > _MOST_ELEMENTS
    if values.size < stored or stored < 0 or endless:
        raise InputError(
            f"the .tflite file is damaged (tensor {text(about.name)!r} has {len(data):,} bytes, "
            f"too few for the shape {list(shape)}): convert or copy it again"
        )
    values = values[:stored]
    return values.reshape(shape) if about.sparsity is None else _dense(about, shape, values)


def dequantized(values: Array, quantization: Any) -> NDArray[np.float32]:
    """The real values that stored values represent: (q - zero_point) * scale.

    Args:
        values: what `tensor_values` returned.
        quantization: the tensor's `quantization`; None, or one without scales, changes nothing.

    Returns:
        float32, of the same shape; per-channel scales apply along the quantized dimension.

    Raises:
        UnsupportedError: the tensor is quantized in blocks.
    """
    holder = schema.TensorT(quantization=quantization)
    if quantization is not None and (
        quantization.detailsType == schema.QuantizationDetails.BlockwiseQuantization
    ):
        raise UnsupportedError(
            "blockwise quantized tensors cannot be read: quantize per tensor or per channel"
        )
    scales, zero_points = scales_of(holder), zero_points_of(holder)
    if not len(scales):
        return values.astype(np.float32)
    if len(scales) > 1:
        along = [1] * values.ndim
        along[quantization.quantizedDimension] = len(scales)
        scales, zero_points = scales.reshape(along), zero_points.reshape(along)
    shifted = values.astype(np.int64) - zero_points
    return (shifted * scales.astype(np.float64)).astype(np.float32)


def _numbers(data: bytes, dtype: str, most: int) -> Array | None:
    """All numbers in a buffer; None where it holds none."""
    if dtype in _PACKED_BITS:
        return _unpacked(data, _PACKED_BITS[dtype], signed=not dtype.startswith("u"), most=most)
    if dtype == "bfloat16":
        halves = np.frombuffer(data, "<u2", len(data) // 2).astype(np.uint32)
        reals: Array = (halves << 16).view(np.float32)
        return reals
    try:
        kind = np.dtype(dtype)
    except TypeError:  # resources, variants, and 8-bit floats, which NumPy lacks
        return None
    if kind.kind not in "biufc":
        return None
    stored = np.frombuffer(data, kind.newbyteorder("<"), len(data) // kind.itemsize)
    numbers: Array = stored.astype(kind, copy=False)
    return numbers


def _unpacked(data: bytes, bits: int, *, signed: bool, most: int) -> Array:
    """Numbers of less than a byte, the first in the lowest bits, two's complement if signed."""
    packed = np.frombuffer(data, np.uint8)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    fields: Array = ((packed[:, None] >> shifts) & (2**bits - 1)).reshape(-1)[: max(most, 0)]
    if not signed:
        return fields
    half = 2 ** (bits - 1)
    numbers: Array = (fields ^ half).astype(np.int8) - np.int8(half)
    return numbers


def _stored(about: Any, shape: tuple[int, ...]) -> int:
    """How many numbers a tensor's buffer holds; for a sparse one, only those that it keeps."""
    if about.sparsity is None:
        return -1 if any(size < 0 for size in shape) else math.prod(shape)
    kept = 1
    for level in items(about.sparsity.dimMetadata):
        if level.format == schema.DimensionType.DENSE:
            kept *= int(level.denseSize)
        else:
            kept = len(_indices(level.arrayIndices))
    return kept


def _indices(vector: Any) -> NDArray[np.int64]:
    return np.asarray([] if vector.values is None else vector.values, dtype=np.int64)


def _dense(about: Any, shape: tuple[int, ...], values: Array) -> Array:
    """Puts the values of a sparse tensor where they belong; all else is 0.

    The dimensions are walked in traversal order, all positions of one level at once. A block
    dimension refines the coordinate of the dimension that it splits.
    """
    if any(size < 0 for size in shape) or math.prod(shape) > _most_elements(values.size):
        raise InputError(
            f"sparse tensor {text(about.name)!r} has the shape {list(shape)}: the .tflite file is "
            f"damaged, or too large to unpack here"
        )
    coordinates = _coordinates(about, values.size)
    blocks = dict.fromkeys(range(len(shape)), 1)
    order, mapped = integers(about.sparsity.traversalOrder), integers(about.sparsity.blockMap)
    for level, dimension in zip(items(about.sparsity.dimMetadata), order, strict=True):
        if dimension >= len(shape):
            blocks[mapped[dimension - len(shape)]] = int(level.denseSize)
    full = []
    for dimension, size in enumerate(shape):
        place = coordinates[dimension] * blocks[dimension]
        if dimension in mapped:
            place = place + coordinates[len(shape) + mapped.index(dimension)]
        if place.size and (place.min() < 0 or place.max() >= size):
            raise _beyond(about)
        full.append(place)
    dense = np.zeros(shape, values.dtype)
    dense[tuple(full)] = values
    return dense


def _most_elements(stored: int) -> int:
    """How many elements a sparse tensor may have that keeps so many values."""
    return _FEW_ELEMENTS + _MOST_ELEMENTS_PER_VALUE * stored


def fewest_values(elements: int) -> int:
    """How many values a sparse tensor of so many elements must keep to be read.

    Example:
        >>> fewest_values(1_000_000)
        229
    """
    return max(-(-(elements - _FEW_ELEMENTS) // _MOST_ELEMENTS_PER_VALUE), 1)


def _coordinates(about: Any, count: int) -> dict[int, NDArray[np.int64]]:
    """The coordinates of every stored value by dimension, block dimensions last."""
    found: dict[int, NDArray[np.int64]] = {}
    parents = np.zeros(1, np.int64)
    order = integers(about.sparsity.traversalOrder)
    for level, dimension in zip(items(about.sparsity.dimMetadata), order, strict=True):
        if level.format == schema.DimensionType.DENSE:
            if len(parents) * int(level.denseSize) > _most_elements(count):
                raise _beyond(about)
            chosen = np.repeat(np.arange(len(parents)), level.denseSize)
            here = np.tile(np.arange(level.denseSize, dtype=np.int64), len(parents))
        else:
            segments, indices = _indices(level.arraySegments), _indices(level.arrayIndices)
            lengths = np.diff(segments)
            if (
                len(lengths) != len(parents)
                or np.any(lengths < 0)
                or segments[0] != 0
                or segments[-1] != len(indices)
            ):
                raise _beyond(about)
            chosen, here = np.repeat(np.arange(len(parents)), lengths), indices
        found = {dimension: place[chosen] for dimension, place in found.items()}
        found[dimension] = here
        parents = np.arange(len(here))
    if len(parents) != count:
        raise _beyond(about)
    return found


def _beyond(about: Any) -> InputError:
    return InputError(
        f"the .tflite file is damaged (the indices of sparse tensor {text(about.name)!r} do not "
        f"fit its shape): convert or copy it again"
    )


def step_before(model: Any, subgraph: int, tensor: int) -> float:
    """One step of the integers that DEQUANTIZE makes a tensor from.

    Args:
        model: what `read_model` returned.
        subgraph: the index of the subgraph.
        tensor: the index of the tensor in it.

    Returns:
        The largest of their scales; 0 for a tensor that DEQUANTIZE does not make.
    """
    graph = model.subgraphs[subgraph]
    for operator in items(graph.operators):
        if operator_name(model, operator) == "DEQUANTIZE" and tensor in integers(operator.outputs):
            scales = scales_of(graph.tensors[integers(operator.inputs)[0]])
            return float(scales.max()) if len(scales) else 0.0
    return 0.0
