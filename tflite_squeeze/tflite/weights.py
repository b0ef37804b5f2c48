"""The weights of a file: which tensors they are, how many numbers, zeros, distinct values."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.tflite.fields import (
    dtype_name,
    integers,
    items,
    operator_name,
    scales_of,
    zero_points_of,
)
from tflite_squeeze.tflite.lut import index_bits
from tflite_squeeze.tflite.tensor_values import tensor_values

Place = tuple[int, int]  # subgraph, tensor


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A constant tensor that represents real values.

    Attributes:
        place: its subgraph and its index there, the first of those that share its buffer.
        buffer: the index of its buffer.
        dtype: the type that it is stored in.
        stored_bytes: the bytes of its buffer.
        values: its numbers as they are stored, dense; None for packed bits.
        zero_points: the stored values that represent 0, one or one per channel.
        axis: the dimension of the channels.
        sparse: whether it is stored with indices.
        elements: how many numbers it represents.
    """

    place: Place
    buffer: int
    dtype: str
    stored_bytes: int
    values: NDArray[Any] | None
    zero_points: NDArray[np.int64]
    axis: int
    sparse: bool
    elements: int

    @cached_property
    def zeros(self) -> int:
        """How many of its numbers represent exactly 0."""
        if self.values is None:
            return 0
        zero: Any = 0
        if len(self.zero_points) == 1:
            zero = self.zero_points[0]
        elif len(self.zero_points):
            along = [1] * self.values.ndim
            along[self.axis] = -1
            zero = self.zero_points.reshape(along)
        return int(np.count_nonzero(self.values == zero))

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each of its distinct values occurs; packed bits come as bytes."""
        if self.values is None or not self.values.size:
            return np.zeros(0, np.int64)
        values = self.values.reshape(-1)
        if values.dtype.itemsize == 1:
            counts = np.bincount(values.view(np.uint8), minlength=256)
            return np.asarray(counts[counts > 0], np.int64)
        return np.asarray(np.unique(values, return_counts=True)[1], np.int64)

    @property
    def entropy_bytes(self) -> float:
        """The bytes that a coder needs that knows only how often each value occurs.

        The distinct values have to be written too. Never more than the plain numbers.
        """
        if self.values is None:
            return float(self.stored_bytes)
        shares = self.counts / max(self.values.size, 1)
        bits = -float(np.sum(shares * np.log2(shares))) * self.values.size
        item_bytes = _ITEM_BITS.get(self.dtype, 8 * self.values.itemsize) / 8
        return min(bits / 8 + len(self.counts) * item_bytes, self.elements * item_bytes)

    @property
    def lookup_bytes(self) -> float:
        """The bytes that a runtime with indices and look-up tables would need.

        Never more than the plain numbers.
        """
        if self.values is None:
            return float(self.stored_bytes)
        item_bytes = _ITEM_BITS.get(self.dtype, 8 * self.values.itemsize) / 8
        plain = self.elements * item_bytes
        table = len(self.counts) * item_bytes
        return min(index_bits(len(self.counts)) * self.elements / 8 + table, plain)


_ITEM_BITS = {"int4": 4, "uint4": 4, "int2": 2, "bfloat16": 16}


def weights_of(model: Any) -> list[Weight]:
    """The weights of a file, each buffer once.

    A constant is a weight if it represents real values: floating point, or integers with a scale.
    The integers of shapes, axes and paddings are none. Larq's binary filters are, though they are
    stored as plain integers.

    Args:
        model: what `read_model` returned.

    Raises:
        InputError: the data of a tensor do not fill its shape.
    """
    found: dict[int, Weight] = {}
    binary = set(_binary_filters(model))
    for subgraph, graph in enumerate(model.subgraphs):
        for index, tensor in enumerate(graph.tensors):
            place = (subgraph, index)
            data = model.buffers[tensor.buffer].data
            if tensor.buffer in found or data is None or len(data) == 0:
                continue
            if place in binary or _is_real(tensor):
                found[tensor.buffer] = _weight(model, place, tensor, binary=place in binary)
    return list(found.values())


def _is_real(tensor: Any) -> bool:
    dtype = dtype_name(tensor)
    if "float" in dtype or dtype.startswith("complex"):
        return True
    return "int" in dtype and len(scales_of(tensor)) > 0


def _binary_filters(model: Any) -> Iterator[Place]:
    for subgraph, graph in enumerate(model.subgraphs):
        for operator in graph.operators:
            inputs = integers(operator.inputs)
            if operator_name(model, operator) == "LceBconv2d" and len(inputs) > 1:
                yield subgraph, inputs[1]


def _weight(model: Any, place: Place, tensor: Any, *, binary: bool) -> Weight:
    values = None if binary else tensor_values(model, *place)
    shape = [max(size, 0) for size in integers(tensor.shape)]
    return Weight(
        place=place,
        buffer=tensor.buffer,
        dtype="bit" if binary else dtype_name(tensor),
        stored_bytes=len(model.buffers[tensor.buffer].data),
        values=values,
        zero_points=zero_points_of(tensor),
        axis=0 if tensor.quantization is None else tensor.quantization.quantizedDimension,
        sparse=tensor.sparsity is not None,
        elements=math.prod(shape) * (32 if binary else 1),
    )


def constant_buffers(model: Any) -> dict[int, str]:
    """Every buffer with data that a tensor uses, with the type of its first tensor."""
    found: dict[int, str] = {}
    for graph in model.subgraphs:
        for tensor in items(graph.tensors):
            data = model.buffers[tensor.buffer].data
            if data is not None and len(data):
                found.setdefault(tensor.buffer, dtype_name(tensor))
    return found
