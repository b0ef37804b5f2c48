"""Matrix multiplications of a file, given inputs of two dimensions."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tflite_squeeze.tflite.edits import new_operator, new_tensor, place_of
from tflite_squeeze.tflite.fields import integers, operator_name, text
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model


def with_flat_inputs(tflite: bytes) -> bytes:
    """The same file, with a RESHAPE before each FULLY_CONNECTED that flattens its input itself.

    tf2onnx 1.17 does so too, and drops the bias.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    for graph in model.subgraphs:
        for operator in list(graph.operators):
            if operator_name(model, operator) == "FULLY_CONNECTED" and _flattens(graph, operator):
                _flatten(model, graph, operator)
    return pack_model(model)


def _flattens(graph: Any, operator: Any) -> bool:
    rank = len(integers(graph.tensors[operator.inputs[0]].shape))
    return rank != 2 and not operator.builtinOptions.keepNumDims


def _flatten(model: Any, graph: Any, operator: Any) -> None:
    source, weights = int(operator.inputs[0]), graph.tensors[operator.inputs[1]]
    width = integers(weights.shape)[1]
    open_batch = min(integers(graph.tensors[source].shapeSignature), default=1) < 0
    rows = -1 if open_batch else int(np.prod(integers(graph.tensors[source].shape))) // width
    flat = new_tensor(graph, source, [rows, width])
    graph.tensors[flat].name = f"{text(graph.tensors[source].name)}/flat{flat}".encode()
    operator.inputs = np.asarray([flat, *operator.inputs[1:]], np.int32)
    options = schema.ReshapeOptionsT(newShape=np.asarray([rows, width], np.int32))
    graph.operators.insert(
        place_of(graph, operator), new_operator(model, "RESHAPE", [source], [flat], options)
    )
