"""Small edits of a graph in the object model: tensors and operators that come and go."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tflite_squeeze.tflite.fields import integers, operator_name


def operator_code(model: Any, name: str, version: int = 1) -> int:
    """The index of a built-in operator's code, added where the file lacks it.

    Args:
        model: the schema's object model; changed in place.
        name: such as CONV_2D.
        version: what the operator needs at least.
    """
    number = getattr(schema.BuiltinOperator, name)
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == number and code.version >= version:
            return index
    code = schema.OperatorCodeT(
        deprecatedBuiltinCode=min(number, 127), builtinCode=number, version=version
    )
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def new_operator(
    model: Any,
    name: str,
    inputs: Sequence[int],
    outputs: Sequence[int],
    options: Any = None,
    *,
    version: int = 1,
) -> Any:
    """An operator of the schema; the caller inserts it.

    Args:
        model: the schema's object model, which gets the operator's code if it lacks it.
        name: such as RESHAPE.
        inputs: tensors by index.
        outputs: tensors by index.
        options: the schema's options table.
        version: the operator's version.
    """
    operator = schema.OperatorT(
        opcodeIndex=operator_code(model, name, version),
        inputs=np.asarray(inputs, np.int32),
        outputs=np.asarray(outputs, np.int32),
    )
    if options is not None:
        kind = type(options).__name__.removesuffix("T")
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
    return operator


def new_tensor(graph: Any, like: int, shape: Sequence[int]) -> int:
    """Adds a tensor with another's type and quantization, without data and, for size, name.

    Args:
        graph: the subgraph; changed in place.
        like: the other tensor.
        shape: its shape, -1 where it is open.

    Returns:
        Its index.
    """
    tensor = copy.copy(graph.tensors[like])
    tensor.buffer, tensor.sparsity, tensor.name = 0, None, None
    tensor.shape = np.asarray([max(size, 1) for size in shape], np.int32)
    tensor.shapeSignature = np.asarray(shape, np.int32) if min(shape, default=0) < 0 else None
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def new_buffer(model: Any, values: NDArray[Any]) -> int:
    """Adds a buffer with the bytes of some values.

    Args:
        model: the schema's object model; changed in place.
        values: of any type and shape.

    Returns:
        Its index.
    """
    model.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
    return len(model.buffers) - 1


def consumers(graph: Any, tensor: int) -> list[Any]:
    """The operators of a subgraph that read a tensor."""
    return [operator for operator in graph.operators if tensor in integers(operator.inputs)]


def read_instead(graph: Any, tensor: int, other: int) -> None:
    """Lets all operators that read a tensor read another in its place."""
    for reader in consumers(graph, tensor):
        inputs = np.asarray(reader.inputs, np.int32)
        reader.inputs = np.where(inputs == tensor, other, inputs)


def place_of(graph: Any, operator: Any) -> int:
    """Where an operator stands among those of its subgraph."""
    return next(place for place, one in enumerate(graph.operators) if one is operator)


def producer(graph: Any, tensor: int) -> Any | None:
    """The operator of a subgraph that writes a tensor."""
    return next((one for one in graph.operators if tensor in integers(one.outputs)), None)


def merge_reshapes(model: Any, graph: Any) -> None:
    """Takes out RESHAPEs that only feed other RESHAPEs, or change nothing.

    Args:
        model: the schema's object model.
        graph: one of its subgraphs; changed in place.
    """
    for operator in graph.operators:
        if _is_reshape(model, operator):
            _skip_reshapes(model, graph, operator)
    for operator in [one for one in graph.operators if _is_reshape(model, one)]:
        before, after = int(operator.inputs[0]), int(operator.outputs[0])
        if after in integers(graph.outputs):
            continue
        if _same_shape(graph.tensors[before], graph.tensors[after]):
            read_instead(graph, after, before)
        if not consumers(graph, after):
            graph.operators.remove(operator)
            # What is left holds the same values: it takes over the name that readers know.
            graph.tensors[before].name = graph.tensors[before].name or graph.tensors[after].name


def _skip_reshapes(model: Any, graph: Any, operator: Any) -> None:
    """Lets a RESHAPE read what the RESHAPEs before it read."""
    source = producer(graph, int(operator.inputs[0]))
    while source is not None and _is_reshape(model, source):
        operator.inputs = np.asarray([source.inputs[0], *operator.inputs[1:]], np.int32)
        source = producer(graph, int(source.inputs[0]))


def _is_reshape(model: Any, operator: Any) -> bool:
    return operator_name(model, operator) == "RESHAPE"


def _same_shape(one: Any, other: Any) -> bool:
    return integers(one.shape) == integers(other.shape) and (
        integers(one.shapeSignature) == integers(other.shapeSignature)
    )
