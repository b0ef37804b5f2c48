"""Weights of operators, and how they are stored in few bits instead."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tflite_squeeze.tflite.edits import consumers, new_buffer
from tflite_squeeze.tflite.fields import dtype_name, operator_name
from tflite_squeeze.tflite.tensor_values import tensor_values

# Operator → the axis of its weights that counts outputs.
OUTPUT_AXES = {"FULLY_CONNECTED": 0, "CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
BITS = {"int2": 2, "int4": 4, "int8": 8}

Array = NDArray[Any]
Stored = Literal["int2", "int4", "int8"]


@dataclass(frozen=True, kw_only=True)
class OperatorWeight:
    """The weights of an operator.

    Attributes:
        graph: its subgraph.
        operator: the operator.
        name: that operator's name.
        index: the tensor's index in its subgraph.
        values: as they are stored, of the tensor's shape.
        axis: the axis that counts outputs.
    """

    graph: Any
    operator: Any
    name: str
    index: int
    values: Array
    axis: int

    @cached_property
    def scale(self) -> NDArray[np.float32] | None:
        """Of each channel, where it holds only -s, 0 and s; None otherwise."""
        return ternary_scales(self.values, self.axis)

    @property
    def tensor(self) -> Any:
        """The tensor in the object model."""
        return self.graph.tensors[self.index]

    def rounded(self) -> tuple[Array, NDArray[np.float32]]:
        """The values in 8 bits, and the scale of each channel."""
        return rounded_to_bytes(self.values, self.axis)


def rounded_to_bytes(values: Array, axis: int | None) -> tuple[Array, NDArray[np.float32]]:
    """Values in 8 bits, symmetric, and their scales.

    Args:
        values: float32.
        axis: that of the channels, which have a scale each; None for one scale.

    Returns:
        int8 of the values' shape, and (channels,) or (1,).

    Example:
        >>> rounded_to_bytes(np.float32([[127.0, -1.0], [0.0, 0.0]]), 0)[0]
        array([[127,  -1],
               [  0,   0]], dtype=int8)
    """
    others = tuple(one for one in range(values.ndim) if one != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    codes = np.clip(np.rint(values / scales), -127, 127).astype(np.int8)
    return codes, scales.reshape(-1)


def float_weights(model: Any) -> Iterator[OperatorWeight]:
    """The float weights of Dense layers and convolutions, in the file's order.

    Args:
        model: what `read_model` returned.
    """
    for weight in stored_weights(model, "float32", ("float32",)):
        if len(consumers(weight.graph, weight.index)) == 1:
            yield weight


def stored_weights(model: Any, dtype: str, inputs: tuple[str, ...]) -> Iterator[OperatorWeight]:
    """The weights of one type of Dense layers and convolutions, for each operator that reads them.

    Args:
        model: what `read_model` returned.
        dtype: the type of the weights.
        inputs: the types that the operator's other input may have.
    """
    for subgraph, operator in weighted_operators(model):
        graph, name = model.subgraphs[subgraph], operator_name(model, operator)
        index = int(operator.inputs[1])
        tensor, source = graph.tensors[index], graph.tensors[int(operator.inputs[0])]
        if (dtype_name(tensor), tensor.sparsity) != (dtype, None):
            continue
        values = tensor_values(model, subgraph, index)
        if dtype_name(source) in inputs and values is not None and values.size:
            yield OperatorWeight(
                graph=graph,
                operator=operator,
                name=name,
                index=index,
                values=values,
                axis=OUTPUT_AXES[name],
            )


def distinct_weights(model: Any, dtype: str, inputs: tuple[str, ...]) -> list[OperatorWeight]:
    """The same as `stored_weights`, each weight once however many operators read it."""
    weights = stored_weights(model, dtype, inputs)
    return list({(id(one.graph), one.index): one for one in weights}.values())


def weighted_operators(model: Any) -> Iterator[tuple[int, Any]]:
    """The operators whose second input is a matrix or a filter, each behind its subgraph's index.

    Args:
        model: what `read_model` returned.
    """
    for subgraph, graph in enumerate(model.subgraphs):
        for operator in graph.operators:
            if operator_name(model, operator) in OUTPUT_AXES and len(operator.inputs) > 1:
                yield subgraph, operator


def ternary_scales(values: Array, axis: int) -> NDArray[np.float32] | None:
    """The scale of each channel, where no channel has other values than -s, 0 and s.

    Args:
        values: float32.
        axis: the axis of the channels.

    Returns:
        (channels,), 1 for a channel of zeros; None where a channel has other values, or all
        weights are 0.

    Example:
        >>> ternary_scales(np.float32([[0.5, 0.0, -0.5], [0.25, 0.25, 0.25]]), 0)
        array([0.5 , 0.25], dtype=float32)
    """
    rows = np.abs(np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1))
    scales = rows.max(axis=1)
    if not np.all((rows == 0) | (rows == scales[:, None])) or not scales.any():
        return None
    # A channel of one weight always looks so.
    if rows.shape[1] == 1:
        return None
    return np.where(scales > 0, scales, 1).astype(np.float32)


def store(model: Any, weight: OperatorWeight, codes: Array, scales: Array, kind: Stored) -> None:
    """Gives a weight's tensor codes and scales in place of its values.

    Args:
        model: the schema's object model; changed in place.
        weight: which.
        codes: signed integers of the values' shape.
        scales: (channels,).
        kind: the type in which codes are stored.
    """
    store_codes(model, weight.tensor, codes, scales, kind, weight.axis)


def store_codes(
    model: Any, tensor: Any, codes: Array, scales: Array, kind: Stored, axis: int
) -> None:
    """Gives a tensor codes and scales in place of its values.

    Args:
        model: the schema's object model; changed in place.
        tensor: one of its tensors.
        codes: signed integers of the values' shape.
        scales: (channels,), or (1,).
        kind: the type in which codes are stored.
        axis: of the channels; 0 for one scale.
    """
    tensor.type = getattr(schema.TensorType, kind.upper())
    tensor.quantization = schema.QuantizationParametersT(
        scale=np.asarray(scales, np.float32),
        zeroPoint=np.zeros(len(scales), np.int64),  # the runtime wants one for each scale
        quantizedDimension=axis,
    )
    tensor.buffer = new_buffer(model, packed(codes, BITS[kind]))


def packed(codes: Array, bits: int) -> NDArray[np.uint8]:
    """Small signed integers in bytes, the first in the lowest bits, two's complement.

    Args:
        codes: of any shape, within the range of the bits.
        bits: 2, 4 or 8.

    Example:
        >>> packed(np.array([1, -1, 0, 1]), 2)
        array([77], dtype=uint8)
    """
    each = 8 // bits
    fields = (codes.reshape(-1).astype(np.int64) & (2**bits - 1)).astype(np.uint8)
    filled = np.concatenate([fields, np.zeros(-len(fields) % each, np.uint8)]).reshape(-1, each)
    shifts = (np.arange(each) * bits).astype(np.uint8)
    return np.asarray(np.bitwise_or.reduce(filled << shifts, axis=1), np.uint8)
