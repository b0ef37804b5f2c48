"""One run of an ONNX graph with ONNX's own evaluator: shapes, constants, and what is right.

The evaluator computes in NumPy, node by node. A node that would make far more than its inputs is
refused before it runs.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError, reason_of
from tflite_squeeze.foreign.onnx.graph import Input, Node, OnnxGraph, single_precision
from tflite_squeeze.foreign.onnx.own_operators import OWN, is_own

Array = NDArray[Any]
_MOST_ELEMENTS = 2**27


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What one run at batch 1 has shown.

    Attributes:
        shapes: of every value, by name.
        constants: the values that do not depend on the input.
    """

    shapes: dict[str, tuple[int, ...]]
    constants: dict[str, Array]


def trace(graph: OnnxGraph) -> Trace:
    """Runs a graph once at batch 1.

    Args:
        graph: only operators that compute; see `registry.check_known`.

    Raises:
        InputError: a node cannot be computed, or would make too much.
    """
    depending = graph.depending()
    shapes: dict[str, tuple[int, ...]] = {}
    constants = dict(graph.constants)
    for name, value in run(graph, examples(graph, 1)):
        shapes[name] = tuple(np.shape(value))
        if name not in depending:
            constants[name] = value
    return Trace(shapes=shapes, constants=constants)


def run(graph: OnnxGraph, inputs: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    """Computes a graph, and gives every value of it with its name, in the order of the nodes.

    Raises:
        InputError: a node cannot be computed, or would make too much.
    """
    last = {name: index for index, node in enumerate(graph.nodes) for name in node.inputs}
    values: dict[str, Array] = {**graph.constants, **inputs}
    yield from values.items()
    for index, node in enumerate(graph.nodes):
        given = [values[name] if name else None for name in node.inputs]
        results = compute(node, given, graph.opset)
        for name, result in zip(node.outputs, results, strict=False):
            if name:
                values[name] = result
                yield name, result
        for name in node.inputs:
            if last.get(name) == index and name not in graph.constants:
                values.pop(name, None)


def compute(node: Node, inputs: list[Array | None], opset: int) -> list[Array]:
    """Computes one node.

    Raises:
        InputError: it cannot be computed.
    """
    _refuse_large(node, inputs)
    try:
        with np.errstate(all="ignore"):
            results = _results(node, inputs, opset)
    # Whatever operators raise on what no exporter writes.
    except (
        ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, NameError,
        NotImplementedError, RuntimeError, TypeError, ValueError, StopIteration,
    ) as error:  # fmt: skip
        raise InputError(
            f"the ONNX node {node.name!r} ({node.kind}) cannot be computed ({reason_of(error)}): "
            f"export the model again"
        ) from error
    return [single_precision(np.asarray(each)) for each in results]


def _results(node: Node, inputs: list[Array | None], opset: int) -> Any:
    """What ONNX's evaluator makes of a graph of one node."""
    if is_own(node.kind, node.attributes, len(node.outputs)):
        return [OWN[node.kind](*inputs, **node.attributes)]
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    names = [f"x{index}" if name else "" for index, name in enumerate(node.inputs)]
    outputs = [name and f"y{index}" for index, name in enumerate(node.outputs)]
    made = helper.make_node(node.kind, names, outputs, **node.attributes)
    graph = helper.make_graph(
        [made],
        "one",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names if name],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    given = {f"x{index}": one for index, one in enumerate(inputs) if one is not None}
    return ReferenceEvaluator(model).run(None, given)


def _refuse_large(node: Node, inputs: list[Array | None]) -> None:
    made = _made(node, inputs)
    if made > _MOST_ELEMENTS:
        raise InputError(
            f"the ONNX node {node.name!r} ({node.kind}) makes {made:,} elements, more than "
            f"{_MOST_ELEMENTS:,}: the model is damaged, or too large for one example in memory"
        )


def _made(node: Node, inputs: list[Array | None]) -> int:
    """How many elements a node makes at least, as far as its inputs say."""
    first = inputs[0] if inputs else None
    size = 1 if first is None else int(first.size)
    match node.kind:
        case "Expand" | "ConstantOfShape":
            sizes = inputs[-1]
            return _product(sizes) if sizes is not None and sizes.size < 64 else size
        case "Tile":
            return size * _product(inputs[1])
        case "Pad":
            pads = node.attributes["pads"] if len(inputs) < 2 else inputs[1]
            return size + _product(1 + np.abs(np.asarray(pads, np.int64)))
        case "Resize" | "Upsample":
            if len(inputs) > 3 and inputs[3] is not None and inputs[3].size:
                return _product(inputs[3])
            scales = inputs[2] if len(inputs) > 2 else inputs[-1]
            return size if scales is None else int(size * float(np.prod(scales)))
        case "Range":
            start, stop, step = (float(np.ravel(one)[0]) for one in inputs)  # type: ignore[arg-type]
            return int(abs((stop - start) / step)) if step else 2**60
        case "OneHot":
            return size * int(np.ravel(inputs[1])[0]) if inputs[1] is not None else size
        case _:
            return _by_attributes(node, size)


def _by_attributes(node: Node, size: int) -> int:
    """Convolutions and pools grow by their padding alone."""
    grown = [int(each) for each in node.attributes.get("pads", ())]
    grown += [int(each) for each in node.attributes.get("output_padding", ())]
    strides = node.attributes.get("strides", ()) if node.kind == "ConvTranspose" else ()
    return (
        max(size, 1)
        if not grown and not strides
        else size * math.prod(max(1, int(each)) for each in strides)
        + math.prod(1 + abs(each) for each in grown)
    )


def _product(sizes: Any) -> int:
    return math.prod(int(each) for each in np.ravel(sizes))


def examples(graph: OnnxGraph, count: int, seed: int = 0) -> dict[str, Array]:
    """Random inputs: of a normal distribution, or whole numbers that the graph can look up."""
    random = np.random.default_rng(seed)
    made = {}
    for each in graph.inputs:
        shape = list(each.shape)
        shape[each.batch_axis] = count
        if np.dtype(each.dtype).kind == "f":
            values: Array = random.standard_normal(shape)
        elif each.dtype == "bool":
            values = random.random(shape) < 0.5
        else:
            values = random.integers(0, _rows(graph, each), shape)
        made[each.name] = values.astype(each.dtype)
    return made


def _rows(graph: OnnxGraph, source: Input) -> int:
    """How many rows the tables have that an input is looked up in."""
    names, found = {source.name}, []
    for node in graph.nodes:
        if node.kind in ("Cast", "Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze"):
            if node.inputs[0] in names:
                names.update(node.outputs)
        elif node.kind == "Gather" and len(node.inputs) > 1 and node.inputs[1] in names:
            table = graph.constants.get(node.inputs[0])
            if table is not None and table.ndim:
                found.append(table.shape[0])
        elif node.kind == "OneHot" and node.inputs[0] in names:
            depth = graph.constants.get(node.inputs[1])
            if depth is not None:
                found.append(int(np.ravel(depth)[0]))
    return max(1, min(found, default=2))
