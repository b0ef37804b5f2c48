"""ONNX graphs made leaner: names, and a batch that is open."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tflite_squeeze.errors import UnsupportedError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto

BATCH = "batch"
_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
_MULTIPLYING = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_POINT = 2  # the input of both that is the zero point
_SIGN = 128
_SHAPE = 1  # the input of a Reshape that is its shape


def renamed(model: "ModelProto", names: Mapping[str, str]) -> "ModelProto":
    """A model whose values have other names.

    Args:
        model: changed in place.
        names: new by old; a value that is not there is none of them.
    """
    graph = model.graph
    for node in graph.node:
        node.input[:] = [names.get(one, one) for one in node.input]
        node.output[:] = [names.get(one, one) for one in node.output]
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = names.get(value.name, value.name)
    return model


def in_order(model: "ModelProto", outputs: Sequence[str]) -> "ModelProto":
    """A model whose outputs come in another order.

    Args:
        model: changed in place.
        outputs: all their names.
    """
    known = {one.name: one for one in model.graph.output}
    ordered = [known[name] for name in outputs]
    del model.graph.output[:]
    model.graph.output.extend(ordered)
    return model


def shorter_names(model: "ModelProto") -> "ModelProto":
    """A model whose values and nodes are called after the layers that they come from.

    The converter joins the names of all that it merged, and tf2onnx adds its own to them.

    Args:
        model: changed in place; without subgraphs, whose values could refer to others.
    """
    if any(one.HasField("g") for node in model.graph.node for one in node.attribute):
        return model
    kept = {one.name for one in (*model.graph.input, *model.graph.output)}
    taken, names = set(kept), {"": ""}
    values = [one.name for one in model.graph.initializer]
    values += [name for node in model.graph.node for name in node.output]
    for value in values:
        if value not in kept:
            names[value] = _free(_stem(value), taken)
    for index, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{index}"
    del model.graph.value_info[:]
    return renamed(model, names)


def _stem(name: str) -> str:
    """The layer and the last word of a name such as a/b/c:0;d/e__12."""
    first = name.partition(";")[0].partition("__")[0].partition(":")[0]
    parts = first.split("/")
    return "/".join(parts[-2:])


def _free(name: str, taken: set[str]) -> str:
    unique, number = name, 1
    while unique in taken or not unique:
        number += 1
        unique = f"{name}_{number}"
    taken.add(unique)
    return unique


def in_pairs(model: "ModelProto") -> "ModelProto":
    """A model in which a DequantizeLinear is next to every QuantizeLinear.

    What only moves integers, such as a Transpose, stands between the two in a graph from a
    `.tflite` file. ONNX Runtime looks for pairs, so such an operator gets one at both ends.

    Args:
        model: changed in place.
    """
    from onnx import helper

    steps: dict[str, Sequence[str]] = {}
    real: dict[str, str] = {}
    nodes = []
    for node in model.graph.node:
        moved = [name for name in node.input if name in steps]
        if node.op_type == _QUANTIZE:
            steps[node.output[0]] = node.input[1:]
        if node.op_type == _DEQUANTIZE or not moved:
            nodes.append(node)
            continue
        step = steps[moved[0]]
        for name in moved:
            if name not in real:
                real[name] = f"{name}_real"
                nodes.append(helper.make_node(_DEQUANTIZE, [name, *steps[name]], [real[name]]))
        node.input[:] = [real.get(name, name) for name in node.input]
        made = list(node.output)
        node.output[:] = [f"{name}_moved" for name in made]
        nodes.append(node)
        for name in made:
            nodes.append(helper.make_node(_QUANTIZE, [f"{name}_moved", *step], [name]))
            steps[name] = step
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def with_unsigned_activations(model: "ModelProto") -> "ModelProto":
    """A model whose activations are 0 to 255 in place of -128 to 127, of the same real values.

    The kernels of ONNX Runtime for x86 multiply unsigned activations by signed weights. It turns
    signed ones into such itself, but not those that two operators read.

    Args:
        model: changed in place; inputs, outputs and weights stay as they are.
    """
    import numpy as np
    from onnx import numpy_helper

    graph = model.graph
    constants = {one.name: one for one in graph.initializer}
    kept = {one.name for one in (*graph.input, *graph.output)}
    kept |= _weights(model) | _read_inside(graph)
    made = {one.output[0] for one in graph.node if one.op_type == _QUANTIZE}
    moved: dict[str, str] = {}

    def unsigned(name: str) -> str:
        """A copy: one constant may be the values of one operator and the zero point of another."""
        if name not in moved:
            moved[name] = f"{name}_unsigned"
            values = numpy_helper.to_array(constants[name]).astype(np.int16) + _SIGN
            graph.initializer.append(numpy_helper.from_array(values.astype(np.uint8), moved[name]))
        return moved[name]

    for node in graph.node:
        if node.op_type not in (_QUANTIZE, _DEQUANTIZE) or len(node.input) < _POINT + 1:
            continue
        point = numpy_helper.to_array(constants[node.input[_POINT]])
        value = node.output[0] if node.op_type == _QUANTIZE else node.input[0]
        # What is gathered from a table of integers is neither, and has its type.
        if point.dtype != np.int8 or value in kept or value not in made | constants.keys():
            continue
        if value in constants:
            node.input[0] = unsigned(value)
        node.input[_POINT] = unsigned(node.input[_POINT])
    read = {name for node in graph.node for name in node.input} | kept
    left = [one for one in graph.initializer if one.name in read]
    del graph.initializer[:]
    graph.initializer.extend(left)
    del graph.value_info[:]  # which say what types were
    return model


def _read_inside(graph: "GraphProto") -> set[str]:
    """What the bodies of loops and branches read, of this graph or of their own."""
    bodies = [one.g for node in graph.node for one in node.attribute if one.HasField("g")]
    read = {name for body in bodies for node in body.node for name in node.input}
    return read.union(*map(_read_inside, bodies))


def _weights(model: "ModelProto") -> set[str]:
    """The constants that are kernels and matrices."""
    read = {
        name for node in model.graph.node if node.op_type in _MULTIPLYING for name in node.input
    }
    constants = {one.name for one in model.graph.initializer}
    dequantized = [node for node in model.graph.node if node.op_type == _DEQUANTIZE]
    return {
        node.input[0] for node in dequantized
        if node.input[0] in constants and node.output[0] in read
    }  # fmt: skip


def with_open_batch(model: "ModelProto") -> "ModelProto":
    """A copy of a model of batch 1 that takes any batch, if its shapes tell where that is.

    Whether it computes the same has to be tried: a 1 at the front of a shape is taken for it.

    Args:
        model: of batch 1.

    Raises:
        UnsupportedError: an input begins with another size.
    """
    import numpy as np
    from onnx import ModelProto, numpy_helper

    opened = ModelProto.FromString(model.SerializeToString())
    graph = opened.graph
    if not all(_begins_with_one(one) for one in graph.input):
        raise UnsupportedError("an input has another batch than 1: export with batch 1")
    for value in (*graph.input, *filter(_begins_with_one, graph.output)):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH
    del graph.value_info[:]
    shapes = {node.input[_SHAPE] for node in graph.node if node.op_type == "Reshape"}
    for tensor in graph.initializer:
        if tensor.name not in shapes:
            continue
        sizes = numpy_helper.to_array(tensor)
        if sizes.ndim == 1 and sizes.size and sizes[0] == 1:
            rest = np.array([-1 if -1 not in sizes else 0, *sizes[1:]], sizes.dtype)
            tensor.CopyFrom(numpy_helper.from_array(rest, tensor.name))
    return opened


def _begins_with_one(value: "ValueInfoProto") -> bool:
    sizes = value.type.tensor_type.shape.dim
    return len(sizes) > 0 and sizes[0].dim_value == 1
