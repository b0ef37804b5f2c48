"""A Dense layer as a convolution whose kernel covers its whole input.

XNNPACK unpacks sparse weights for CONV_2D when a file is loaded, but not for FULLY_CONNECTED.
The same dot products are a VALID convolution of an image of height 1 with a kernel of its size;
the inputs split over the kernel's columns, which makes the positions of its channels small.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tflite_squeeze.convert.flatbuffer_fields import integers, shape_of
from tflite_squeeze.convert.graph_edits import new_operator, new_tensor

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
    source, kernel, *bias = integers(operator.inputs)
    result = int(operator.outputs[0])
    weights = graph.tensors[kernel]
    outputs, inputs = integers(weights.shape)
    _reshape_kernel(weights, (outputs, 1, taps, inputs // taps))
    batch = batch_of(graph.tensors[source], inputs)
    image = new_tensor(graph, source, (batch, 1, taps, inputs // taps))
    answer = new_tensor(graph, result, (batch, 1, 1, outputs))
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
            [image, kernel, *(at for at in bias if at >= 0)],
            [answer],
            options,
            version=_INT8_CONVOLUTION if integer else 1,
        ),
        _reshape(model, graph, answer, result),
    ]
    at = next(place for place, one in enumerate(graph.operators) if one is operator)
    graph.operators[at : at + 1] = chain


def batch_of(tensor: Any, inputs: int) -> int:
    """How many vectors of so many inputs a tensor holds; -1 where its shape is open."""
    shape = shape_of(tensor)
    return -1 if min(shape, default=1) < 0 else int(np.prod(shape)) // inputs


def _reshape_kernel(weights: Any, shape: tuple[int, ...]) -> None:
    weights.shape, weights.shapeSignature = np.asarray(shape, np.int32), None


def _reshape(model: Any, graph: Any, source: int, target: int) -> Any:
    """A RESHAPE that carries its shape in its options, which is smaller than a tensor for it."""
    shape = np.asarray(shape_of(graph.tensors[target]), np.int32)
    return new_operator(
        model, "RESHAPE", [source], [target], schema.ReshapeOptionsT(newShape=shape)
    )
