"""Custom operators that a built-in one can stand for, so that a file can be calibrated."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tflite_squeeze.tflite.edits import new_buffer, operator_code
from tflite_squeeze.tflite.fields import shape_of
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.links import Links

# MediaPipe's own, of which XNNPACK has a kernel and TensorFlow none: input, weights and bias, and
# the runtime's struct of the padding and two strides as options.
_TRANSPOSE = "Convolution2DTransposeBias"
_PADDINGS = {1: schema.Padding.SAME, 2: schema.Padding.VALID}
_WITH_BIAS = 3  # the version of TRANSPOSE_CONV


def with_builtin_operators(tflite: bytes) -> tuple[bytes, tuple[str, ...]]:
    """A file with TRANSPOSE_CONV in place of MediaPipe's operator for it.

    Args:
        tflite: the file.

    Returns:
        The file, and a note; the same bytes where there is no such operator of a known size.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    count = 0
    for subgraph in range(len(model.subgraphs)):
        links = Links(model, subgraph)
        for at, name in enumerate(links.names):
            count += name == _TRANSPOSE and _replace(model, links, at)
    if not count:
        return tflite, ()
    return pack_model(model), (f"{count} {_TRANSPOSE} became TRANSPOSE_CONV",)


def _replace(model: Any, links: Links, at: int) -> bool:
    """Whether an operator was replaced."""
    operator = links.graph.operators[at]
    given = b"" if operator.customOptions is None else bytes(operator.customOptions)
    options = np.frombuffer(given[: len(given) // 4 * 4], "<i4")
    shape = shape_of(links.graph.tensors[links.outputs(at)[0]])
    if len(operator.inputs) != 3 or len(options) < 3 or options[0] not in _PADDINGS:
        return False
    if min(shape) < 1:
        return False
    links.graph.tensors.append(
        schema.TensorT(
            shape=np.asarray([len(shape)], np.int32),
            type=schema.TensorType.INT32,
            buffer=new_buffer(model, np.asarray(shape, np.int32)),
            name=b"output_shape",
        )
    )
    image, weights, bias = (int(tensor) for tensor in operator.inputs)
    size = len(links.graph.tensors) - 1
    operator.inputs = np.asarray([size, weights, image, bias], np.int32)
    operator.opcodeIndex = operator_code(model, "TRANSPOSE_CONV", _WITH_BIAS)
    operator.customOptions = None
    operator.builtinOptionsType = schema.BuiltinOptions.TransposeConvOptions
    operator.builtinOptions = schema.TransposeConvOptionsT(
        padding=_PADDINGS[int(options[0])], strideW=int(options[1]), strideH=int(options[2])
    )
    return True
