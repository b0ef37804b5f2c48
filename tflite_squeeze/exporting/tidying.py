"""ONNX graphs made leaner: names, and a batch that is open."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tflite_squeeze.errors import UnsupportedError

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

BATCH = "batch"
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
