"""A Dense layer as a convolution whose kernel covers its whole input.

XNNPACK unpacks sparse weights for CONV_2D when a file is loaded, but not for FULLY_CONNECTED.
The same dot products are a VALID convolution of an image that has an example in every row with a
kernel as large as a row; the inputs split over the kernel's columns, which makes the positions of
its channels small.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tflite_squeeze.tflite.edits import new_buffer, new_operator, new_tensor, place_of
from tflite_squeeze.tflite.fields import integers, scales_of, shape_of

_INT8_CONVOLUTION = 3  # the operator's version that takes int8


def cover(model: Any, subgraph: int, operator: Any, taps: int) -> None:
    """Turns one FULLY_CONNECTED of an object model into RESHAPE, CONV_2D, RESHAPE.

    Args:
        model: the schema's object model; changed in place.
        subgraph: the index of the operator's subgraph.
        operator: the operator; its weights are of shape (outputs, inputs), no other reads them.
        taps: the kernel's width; a divisor of the inputs. Its weights become
            (outputs, 1, taps, inputs / taps), in the order in which they were.

    Example:
        >>> cover(model, 0, model.subgraphs[0].operators[1], taps=4)
    """
    graph = model.subgraphs[subgraph]
    source, kernel, bias = (*integers(operator.inputs), -1)[:3]
    if bias < 0:  # of which FULLY_CONNECTED has no need, but CONV_2D has
        bias = _zero_bias(model, graph, source, kernel)
    result = int(operator.outputs[0])
    weights = graph.tensors[kernel]
    outputs, inputs = integers(weights.shape)
    _reshape_kernel(weights, (outputs, 1, taps, inputs // taps))
    batch = batch_of(graph.tensors[source], inputs)
    image = new_tensor(graph, source, (1, batch, taps, inputs // taps))
    answer = new_tensor(graph, result, (1, batch, 1, outputs))
    options = schema.Conv2DOptionsT(
        padding=schema.Padding.VALID,
        strideW=1,
        strideH=1,
        fusedActivationFunction=operator.builtinOptions.fusedActivationFunction,
    )
    integer = weights.type == schema.TensorType.INT8
    chain = [
        _reshape(model, graph, source, image),
        new_operator(
            model,
            "CONV_2D",
            [image, kernel, bias],
            [answer],
            options,
            version=_INT8_CONVOLUTION if integer else 1,
        ),
        _reshape(model, graph, answer, result),
    ]
    at = place_of(graph, operator)
    graph.operators[at : at + 1] = chain


def batch_of(tensor: Any, inputs: int) -> int:
    """How many vectors of so many inputs a tensor holds; -1 where its shape is open."""
    shape = shape_of(tensor)
    return -1 if min(shape, default=1) < 0 else int(np.prod(shape)) // inputs


def _reshape_kernel(weights: Any, shape: tuple[int, ...]) -> None:
    weights.shape, weights.shapeSignature = np.asarray(shape, np.int32), None


def _zero_bias(model: Any, graph: Any, source: int, kernel: int) -> int:
    """Adds a bias of zeros, in int8 files of the scale that the kernels ask for."""
    weights = graph.tensors[kernel]
    outputs = int(weights.shape[0])
    bias = schema.TensorT(shape=np.asarray([outputs], np.int32), type=schema.TensorType.FLOAT32)
    if weights.type == schema.TensorType.INT8:
        scale = scales_of(graph.tensors[source]) * scales_of(weights)
        bias.type = schema.TensorType.INT32
        bias.quantization = schema.QuantizationParametersT(
            scale=scale.astype(np.float32), zeroPoint=np.zeros(len(scale), np.int64)
        )
    bias.buffer = new_buffer(model, np.zeros(outputs, np.int32))
    graph.tensors.append(bias)
    return len(graph.tensors) - 1


def _reshape(model: Any, graph: Any, source: int, target: int) -> Any:
    """A RESHAPE that carries its shape in its options, which is smaller than a tensor for it."""
    shape = np.asarray(shape_of(graph.tensors[target]), np.int32)
    return new_operator(
        model, "RESHAPE", [source], [target], schema.ReshapeOptionsT(newShape=shape)
    )
