"""Which weights of a file may be written sparse, and why the others may not."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tflite_squeeze.tflite.edits import consumers, producer
from tflite_squeeze.tflite.fields import (
    buffer_bytes,
    dtype_name,
    integers,
    items,
    operator_name,
    text,
    zero_points_of,
)
from tflite_squeeze.tflite.tensor_values import tensor_values

# Weights by type → the type of activations with which XNNPACK unpacks and delegates them.
_ACTIVATIONS = {"float32": "float32", "float16": "float32", "int8": "int8"}
_READERS = ("CONV_2D", "FULLY_CONNECTED")
_OTHER_READERS = ("DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "BATCH_MATMUL")


@dataclass(frozen=True, kw_only=True)
class LayerWeights:
    """The weights of one operator.

    Attributes:
        subgraph: the operator's subgraph.
        operator: the operator that multiplies by them.
        name: that operator's name.
        tensor: the stored tensor; float16 ones reach the operator through a DEQUANTIZE.
        read: the tensor that the operator reads: the same, or what DEQUANTIZE makes of it.
        label: the stored tensor's name.
        dtype: its type.
        values: its values as they are stored.
        obstacle: why they cannot be written sparse; empty when they can.
    """

    subgraph: int
    operator: Any
    name: str
    tensor: int
    read: int
    label: str
    dtype: str
    values: NDArray[Any]
    obstacle: str

    @property
    def zeros(self) -> float:
        """The share of values that are 0."""
        return 1.0 - np.count_nonzero(self.values) / self.values.size


def layer_weights(model: Any) -> Iterator[LayerWeights]:
    """The weights of Dense layers and convolutions, in the file's order.

    Args:
        model: what `read_model` returned.

    Yields:
        Every tensor of weights once, whether it may become sparse or not.
    """
    users = Counter(
        int(tensor.buffer)
        for graph in model.subgraphs
        for tensor in graph.tensors
        if buffer_bytes(model.buffers[tensor.buffer])
    )
    seen = set()
    for subgraph, graph in enumerate(model.subgraphs):
        for operator in graph.operators:
            name = operator_name(model, operator)
            if name not in _READERS + _OTHER_READERS or len(operator.inputs) < 2:
                continue
            read = int(operator.inputs[1])
            tensor = _stored(model, graph, read)
            if tensor < 0 or (subgraph, tensor) in seen:
                continue
            seen.add((subgraph, tensor))
            about = graph.tensors[tensor]
            values = tensor_values(model, subgraph, tensor)
            if values is None or values.size == 0:
                continue
            shared = users[int(about.buffer)] > 1
            yield LayerWeights(
                subgraph=subgraph,
                operator=operator,
                name=name,
                tensor=tensor,
                read=read,
                label=text(about.name),
                dtype=dtype_name(about),
                values=values,
                obstacle=_obstacle(model, subgraph, operator, (read, tensor), shared=shared),
            )


def _stored(model: Any, graph: Any, read: int) -> int:
    """The constant that an operator reads, if need be through others; -1 for a computed tensor."""
    if read < 0:
        return -1
    source = producer(graph, read)
    if source is not None and operator_name(model, source) in ("DEQUANTIZE", "DENSIFY"):
        return _stored(model, graph, int(source.inputs[0]))
    return read if source is None and buffer_bytes(_buffer(model, graph, read)) else -1


def _buffer(model: Any, graph: Any, tensor: int) -> Any:
    return model.buffers[graph.tensors[tensor].buffer]


def _obstacle(
    model: Any, subgraph: int, operator: Any, tensors: tuple[int, int], *, shared: bool
) -> str:
    graph, name = model.subgraphs[subgraph], operator_name(model, operator)
    read, tensor = tensors
    about = graph.tensors[tensor]
    dtype = dtype_name(about)
    activations = dtype_name(graph.tensors[int(operator.inputs[0])])
    if about.sparsity is not None:
        return "it is sparse already"
    if name not in _READERS:
        return f"only weights of {' and '.join(_READERS)} are written sparse, not of {name}"
    if _ACTIVATIONS.get(dtype) != activations:
        return f"{dtype} weights with {activations} activations are not unpacked at load"
    if dtype == "float16" and read == tensor:
        return "float16 weights without DEQUANTIZE are not unpacked at load"
    if np.any(zero_points_of(about)):
        return "its zero point is not 0"
    if shared or len(consumers(graph, tensor)) > 1:
        return "several operators share it"
    if subgraph and subgraph not in [int(one.subgraphIndex) for one in items(model.signatureDefs)]:
        return "it is inside a loop or a branch"
    if name == "FULLY_CONNECTED":
        return _dense_obstacle(graph, operator, read)
    return "" if len(about.shape) == 4 else "it is not a kernel of a 2D convolution"


def _dense_obstacle(graph: Any, operator: Any, read: int) -> str:
    """Why a Dense layer cannot become a convolution."""
    options = operator.builtinOptions
    plain = schema.FullyConnectedOptionsWeightsFormat.DEFAULT
    if len(consumers(graph, read)) > 1:
        return "several operators share it"
    if options is None or options.weightsFormat != plain:
        return "its weights are in a shuffled format"
    if len(integers(graph.tensors[read].shape)) != 2:
        return "its weights are not a matrix"
    return ""


_LEAST_ZEROS = 2 / 3


_GLOBAL_AVERAGES = ("MEAN", "SUM", "AVERAGE_POOL_2D", "DEPTH_TO_SPACE")


def sparse_kernels(model: Any) -> str:
    """Says whether XNNPACK would use sparse kernels for a file.

    Args:
        model: what `read_model` returned.

    Returns:
        One line for the report.

    Example:
        >>> sparse_kernels(read_model(tflite))
        'no: XNNPACK has sparse kernels for float 1x1 convolutions only, and there are none'
    """
    weights = [one for one in layer_weights(model) if one.subgraph == 0]
    pointwise = [one for one in weights if _is_pointwise(model, one)]
    if not pointwise:
        return "no: XNNPACK has sparse kernels for float 1x1 convolutions only, and there are none"
    elements = sum(one.values.size for one in pointwise)
    zeros = sum(one.values.size - np.count_nonzero(one.values) for one in pointwise) / elements
    if zeros < _LEAST_ZEROS:
        return f"no: XNNPACK needs 2/3 zeros in 1x1 convolutions, here {zeros:.1%} are zero"
    if not any(_is_stem(model, one) for one in weights):
        return (
            "no: XNNPACK needs a 3x3 convolution of stride 2 on 3 channels, with one pixel of "
            "padding on each side (ZeroPadding2D(1), padding='valid'), before the 1x1 ones"
        )
    names = {operator_name(model, operator) for operator in model.subgraphs[0].operators}
    if not names & set(_GLOBAL_AVERAGES):
        return "no: XNNPACK needs a global average (or DEPTH_TO_SPACE) after the 1x1 convolutions"
    return (
        f"on Arm: XNNPACK can run {len(pointwise)} 1x1 convolutions ({zeros:.1%} zeros) with "
        f"sparse kernels; never on x86 with AVX"
    )


def _is_pointwise(model: Any, weights: LayerWeights) -> bool:
    options = weights.operator.builtinOptions
    return (
        _is_real_convolution(model, weights)
        and weights.values.shape[1:3] == (1, 1)
        and (options.strideH, options.strideW) == (1, 1)
    )


def _is_stem(model: Any, weights: LayerWeights) -> bool:
    graph, options = model.subgraphs[0], weights.operator.builtinOptions
    padding = producer(graph, int(weights.operator.inputs[0]))
    return (
        _is_real_convolution(model, weights)
        and weights.values.shape[1:] == (3, 3, 3)
        and (options.strideH, options.strideW) == (2, 2)
        and options.padding == schema.Padding.VALID
        and padding is not None
        and operator_name(model, padding) == "PAD"
        and _pads_by_one(graph, padding)
    )


def _is_real_convolution(model: Any, weights: LayerWeights) -> bool:
    source = model.subgraphs[0].tensors[int(weights.operator.inputs[0])]
    return weights.name == "CONV_2D" and dtype_name(source) == "float32"


def _pads_by_one(graph: Any, padding: Any) -> bool:
    before = integers(graph.tensors[int(padding.inputs[0])].shape)
    after = integers(graph.tensors[int(padding.outputs[0])].shape)
    return len(before) == len(after) == 4 and all(
        new - old == 2 for old, new in zip(before[1:3], after[1:3], strict=True)
    )
