"""An ONNX graph in plain terms: nodes with Python attributes, weights as arrays, float32 inside."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError, reason_of

if TYPE_CHECKING:
    from onnx import ModelProto

_FLOAT32, _FLOAT16, _DOUBLE = 1, 10, 11  # of ONNX's element types


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operator.

    Attributes:
        kind: its type, such as "Conv"; with its domain in front unless that is ONNX's own.
        name: its own, or its first output's.
        inputs: names of values; "" for one that is left out.
        outputs: names of values.
        attributes: by name, as Python values.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Input:
    """An input of the graph.

    Attributes:
        name: as in the file.
        shape: at batch 1.
        dtype: of NumPy.
        batch_axis: which axis is the batch.
        fixed: whether the file fixes the batch to 1.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    batch_axis: int
    fixed: bool


@dataclass(kw_only=True)
class OnnxGraph:
    """A graph whose shapes are known at batch 1.

    Attributes:
        nodes: each after those whose outputs it takes.
        constants: arrays by the name of their value.
        inputs: those that are no weights.
        outputs: names of values.
        opset: of ONNX's own operators.
    """

    nodes: list[Node]
    constants: dict[str, NDArray[Any]]
    inputs: list[Input]
    outputs: tuple[str, ...]
    opset: int

    def readers(self) -> dict[str, list[Node]]:
        """The nodes that take each value."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return found

    def depending(self) -> set[str]:
        """The names of all values that depend on what is in the input, not on its shape alone."""
        found = {each.name for each in self.inputs}
        for node in self.nodes:
            # Of what a constant is made alike, only the type matters.
            taken = node.inputs[:1] if node.kind == "CastLike" else node.inputs
            if node.kind not in ("Shape", "Size") and found.intersection(taken):
                found.update(node.outputs)
        return found

    def kinds(self, nodes: Iterable[Node]) -> Counter[str]:
        """How many nodes of each kind there are."""
        return Counter(node.kind for node in nodes)


def plain_graph(model: "ModelProto", input_shapes: Mapping[str, tuple[int, ...]]) -> OnnxGraph:
    """Reads the graph of a model.

    Args:
        model: as `read_onnx` returns it.
        input_shapes: full shapes of inputs that the file leaves open beside the batch.

    Raises:
        InputError: a weight is damaged, or a shape is open or of a fixed batch above 1.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    names = {each.name for each in graph.input}
    for name in input_shapes:
        if name not in names:
            raise InputError(
                f"--input-shape names {name!r}, but the ONNX model's inputs are {sorted(names)}"
            )
    try:
        constants = {
            each.name: single_precision(numpy_helper.to_array(each)) for each in graph.initializer
        }
        nodes = [
            Node(
                kind=f"{each.domain}.{each.op_type}"
                if each.domain not in ("", "ai.onnx")
                else each.op_type,
                name=each.name or each.output[0],
                inputs=tuple(each.input),
                outputs=tuple(each.output),
                attributes={one.name: helper.get_attribute_value(one) for one in each.attribute},
            )
            for each in graph.node
        ]
        inputs = [_input(each, input_shapes) for each in graph.input if each.name not in constants]
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise InputError(
            f"the ONNX model holds something damaged ({reason_of(error)}): export it again"
        ) from error
    opset = max(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    plain = OnnxGraph(
        nodes=[_in_single_precision(node) for node in nodes],
        constants=constants,
        inputs=inputs,
        outputs=tuple(each.name for each in graph.output),
        opset=opset,
    )
    return without_unused(plain)


def without_unused(graph: OnnxGraph) -> OnnxGraph:
    """The same graph without nodes that no output depends on."""
    needed, kept = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    return replace(graph, nodes=kept[::-1])


def single_precision(array: NDArray[Any]) -> NDArray[Any]:
    """An array of halves or doubles as one of float32, any other as it is."""
    return array.astype(np.float32) if array.dtype in (np.float16, np.float64) else array


def _in_single_precision(node: Node) -> Node:
    """A node that makes halves or doubles, made to make float32."""
    attributes = dict(node.attributes)
    if node.kind == "Cast" and attributes.get("to") in (_FLOAT16, _DOUBLE):
        attributes["to"] = _FLOAT32
    return replace(node, attributes=attributes)


def _input(value: Any, input_shapes: Mapping[str, tuple[int, ...]]) -> Input:
    from onnx import helper

    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not kind.HasField("shape"):
        raise InputError(f"the input {value.name!r} has no shape: export it with one")
    sizes: list[int | None] = [
        each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else None
        for each in kind.shape.dim
    ]
    if not sizes:
        raise InputError(f"the input {value.name!r} is a single number: export it as a constant")
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)).name
    batch_axis = sizes.index(None) if None in sizes else 0
    if None not in sizes and sizes[0] != 1 and 1 in sizes:  # states of a recurrent layer
        batch_axis = sizes.index(1)
    fixed = sizes[batch_axis] is not None
    stated = input_shapes.get(value.name)
    if stated is not None:
        fits = len(stated) == len(sizes) and all(
            size in (None, given) for size, given in zip(sizes, stated, strict=True)
        )
        if not fits:
            raise InputError(
                f"--input-shape says {list(stated)} for {value.name!r}, but the ONNX model has "
                f"{_shape_text(kind.shape.dim)}"
            )
        sizes = list(stated)
    elif not fixed:
        sizes[batch_axis] = 1
    if None in sizes:
        raise InputError(
            f"the input {value.name!r} leaves its shape open {_shape_text(kind.shape.dim)}: "
            f"pass --input-shape {value.name}=1,..."
        )
    known = [size for size in sizes if size is not None]
    if known[batch_axis] != 1:
        raise InputError(
            f"the input {value.name!r} fixes the batch to {known[batch_axis]}: export it "
            f"with a batch of 1, or with a dynamic axis"
        )
    if math.prod(known) > 2**28:
        raise InputError(f"the input {value.name!r} has {math.prod(known):,} elements")
    dtype = "float32" if dtype in ("float16", "float64") else dtype
    return Input(
        name=value.name, shape=tuple(known), dtype=dtype, batch_axis=batch_axis, fixed=fixed
    )


def _shape_text(dims: Any) -> str:
    return "[" + ", ".join(str(each.dim_param or each.dim_value or "?") for each in dims) + "]"


def plain_name(name: str) -> str:
    """A name that Keras and TensorFlow take.

    Example:
        >>> plain_name("/layer1/layer1.0/conv1/Conv")
        'layer1_layer1.0_conv1_Conv'
    """
    cleaned = re.sub(r"[^A-Za-z0-9_.\-]+", "_", name).strip("_.-")
    if not cleaned:
        return "value"
    return cleaned if cleaned[0].isalpha() else f"n{cleaned}"
