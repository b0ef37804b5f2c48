"""What exporters take apart, put together again: GELU, SiLU, normalizations, biases.

A pattern is a nested tuple: the type of a node, then its inputs. A text is a value, the same
wherever it has the same name; a number is a constant of about that value; "kind@label" gives the
node a label; ("=", name, pattern) is a value that is also a pattern. Add and Mul match their inputs
in either order.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tflite_squeeze.foreign.onnx.graph import Node, OnnxGraph, without_unused
from tflite_squeeze.foreign.onnx.tracing import Trace

Pattern = Any
Found = dict[str, Any]
_COMMUTATIVE = ("Add", "Mul")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A pattern and what it stands for.

    Attributes:
        pattern: what is looked for.
        make: the kind, inputs and attributes of the node that it is; None if it is none after all.
    """

    pattern: Pattern
    make: Callable[["Matcher", Found], tuple[str, list[str], dict[str, Any]] | None]


class Matcher:
    """Looks for patterns in a graph.

    Args:
        graph: the graph.
        trace: its shapes and constants.
    """

    def __init__(self, graph: OnnxGraph, trace: Trace) -> None:
        self.graph, self.trace = graph, trace
        self.made_by = {name: node for node in graph.nodes for name in node.outputs}
        self.readers = graph.readers()

    def matches(self, pattern: Pattern, name: str, found: Found) -> Iterator[Found]:
        """Every way in which a value is what a pattern says."""
        if isinstance(pattern, str):
            if found.setdefault(pattern, name) == name:
                yield found
        elif isinstance(pattern, float):
            value = self.number(name)
            if value is not None and abs(value - pattern) <= 1e-4 * max(abs(pattern), 1e-3):
                yield found
        elif pattern[0] == "=":
            if found.setdefault(pattern[1], name) == name:
                yield from self.matches(pattern[2], name, found)
        else:
            yield from self._matches_node(pattern, name, found)

    def _matches_node(self, pattern: Pattern, name: str, found: Found) -> Iterator[Found]:
        kind, _, label = pattern[0].partition("@")
        node, wanted = self.made_by.get(name), pattern[1:]
        if node is None or node.kind != kind or len(node.inputs) < len(wanted):
            return
        if label:
            found = {**found, label: node}
        orders = [node.inputs[: len(wanted)]]
        if kind in _COMMUTATIVE:
            orders.append(orders[0][::-1])
        for order in orders:
            ways = [dict(found)]
            for part, value in zip(wanted, order, strict=True):
                ways = [way for one in ways for way in self.matches(part, value, dict(one))]
            yield from ways

    def number(self, name: str) -> float | None:
        """A constant of one element."""
        array = self.trace.constants.get(name)
        return None if array is None or array.size != 1 else float(np.ravel(array)[0])

    def over_last(self, node: Node, name: str) -> bool:
        """Whether a node reduces the last axis alone and keeps it."""
        axes = node.attributes.get("axes")
        if axes is None and len(node.inputs) > 1:
            axes = self.trace.constants.get(node.inputs[1])
        rank = len(self.trace.shapes[name])
        last = axes is not None and [int(each) % rank for each in np.ravel(axes)] == [rank - 1]
        return last and bool(node.attributes.get("keepdims", 1))

    def is_vector(self, name: str, size: int) -> bool:
        """Whether a value is a constant with one number for each of that many."""
        array = self.trace.constants.get(name)
        return array is not None and array.size == size == array.shape[-1]

    def clips(self, node: Node, low: float, high: float) -> bool:
        """Whether a Clip has these bounds."""
        found = [node.attributes.get("min"), node.attributes.get("max")]
        if len(node.inputs) == 3:
            found = [self.number(name) for name in node.inputs[1:]]
        return found == [low, high]


def fused(graph: OnnxGraph, trace: Trace) -> OnnxGraph:
    """The same graph with fewer, larger nodes; values keep their names."""
    matcher = Matcher(graph, trace)
    nodes = [_fused_node(matcher, node) for node in graph.nodes]
    return without_unused(replace(graph, nodes=nodes))


def _fused_node(matcher: Matcher, node: Node) -> Node:
    if not node.outputs or node.outputs[0] in matcher.trace.constants:
        return node
    for rule in RULES.get(node.kind, ()):
        for found in matcher.matches(rule.pattern, node.outputs[0], {}):
            made = rule.make(matcher, found)
            if made is not None:
                kind, inputs, attributes = made
                return Node(
                    kind=kind,
                    name=node.name,
                    inputs=tuple(inputs),
                    outputs=node.outputs[:1],
                    attributes=attributes,
                )
    return node


def _unary(kind: str, **attributes: Any) -> Any:
    return lambda _, found: (kind, [found["x"]], attributes)


def _if_clip(kind: str) -> Any:
    def make(matcher: Matcher, found: Found) -> Any:
        return (kind, [found["x"]], {}) if matcher.clips(found["clip"], 0, 6) else None

    return make


def _hard_swish(_: Matcher, found: Found) -> Any:
    said: Mapping[str, Any] = found["hard"].attributes
    exact = abs(said.get("alpha", 0.2) - 1 / 6) < 1e-6 and said.get("beta", 0.5) == 0.5
    return ("HardSwish", [found["x"]], {}) if exact else None


def _layer_norm(matcher: Matcher, found: Found) -> Any:
    size, epsilon = matcher.trace.shapes[found["x"]][-1], matcher.number(found["e"])
    over = matcher.over_last(found["mean"], found["x"]) and matcher.over_last(
        found["variance"], found["x"]
    )
    weights = all(matcher.is_vector(found[key], size) for key in ("w", "b") if key in found)
    if not over or not weights or epsilon is None:
        return None
    inputs = [found["x"], *(found[key] for key in ("w", "b") if key in found)]
    return "LayerNormalization", inputs, {"axis": -1, "epsilon": epsilon}


def _rms_norm(matcher: Matcher, found: Found) -> Any:
    epsilon, size = matcher.number(found["e"]), matcher.trace.shapes[found["x"]][-1]
    over = matcher.over_last(found["variance"], found["x"])
    if not over or epsilon is None or not matcher.is_vector(found["w"], size):
        return None
    return "RMSNormalization", [found["x"], found["w"]], {"axis": -1, "epsilon": epsilon}


def _group_norm(matcher: Matcher, found: Found) -> Any:
    constants, shape = matcher.trace.constants, matcher.trace.shapes[found["x"]]
    ones, zeros = constants.get(found["ones"]), constants.get(found["zeros"])
    weights = [constants.get(found[key]) for key in ("w", "b")]
    apart = matcher.trace.shapes[found["apart"].outputs[0]]
    if ones is None or zeros is None or any(one is None for one in weights):
        return None
    by_channel = all(
        one is not None
        and one.ndim >= len(shape) - 1
        and one.size == shape[1] == one.shape[1 - len(shape)]
        for one in weights
    )
    fits = len(apart) == 3 and apart[:2] == (shape[0], ones.size)
    if not (np.all(ones == 1) and np.all(zeros == 0) and fits and by_channel):
        return None
    attributes = {
        "num_groups": int(ones.size), "epsilon": found["norm"].attributes.get("epsilon", 1e-5)
    }  # fmt: skip
    return "GroupNormalization", [found["x"], found["w"], found["b"]], attributes


def _biased(matcher: Matcher, found: Found) -> Any:
    kernel = matcher.trace.constants.get(found["w"])
    alone = len(matcher.readers.get(found["product"].outputs[0], ())) == 1
    if kernel is None or kernel.ndim != 2 or found["x"] in matcher.trace.constants or not alone:
        return None
    if not matcher.is_vector(found["b"], kernel.shape[1]):
        return None
    return "FusedMatMulAdd", [found["x"], found["w"], found["b"]], {}


_ROOT_2, _GELU_SCALE = 2.0**0.5, (2 / np.pi) ** 0.5
_ERF = [
    ("Add", ("Erf", inside), 1.0) for inside in (("Div", "x", _ROOT_2), ("Mul", "x", 1 / _ROOT_2))
]
_CUBE = ("Mul", ("Pow", "x", 3.0), 0.044715)
_TANH = ("Add", ("Tanh", ("Mul", ("Add", "x", _CUBE), float(_GELU_SCALE))), 1.0)
_CENTRED = ("=", "d", ("Sub", "x", ("ReduceMean@mean", "x")))
_DEVIATION = [
    ("Sqrt", ("Add", ("ReduceMean@variance", square), "e"))
    for square in (("Pow", "d", 2.0), ("Mul", "d", "d"))
]
_ROOT = ("Sqrt", ("Add", ("ReduceMean@variance", ("Pow", "x", 2.0)), "e"))
_SIX = ("Clip@clip", ("Add", "x", 3.0))
_NORMALIZED = ("InstanceNormalization@norm", ("Reshape@apart", "x", "s"), "ones", "zeros")

RULES: dict[str, list[Rule]] = {
    "Mul": [
        Rule(pattern=("Mul", "x", ("Sigmoid", "x")), make=_unary("Swish")),
        Rule(pattern=("Mul", "x", ("Tanh", ("Softplus", "x"))), make=_unary("Mish")),
        Rule(pattern=("Mul", "x", ("HardSigmoid@hard", "x")), make=_hard_swish),
        Rule(pattern=("Mul", "x", ("Div", _SIX, 6.0)), make=_if_clip("HardSwish")),
        *(
            Rule(pattern=pattern, make=_unary("Gelu"))
            for erf in _ERF
            for pattern in (
                ("Mul", ("Mul", "x", erf), 0.5),
                ("Mul", "x", ("Mul", erf, 0.5)),
                ("Mul", ("Mul", "x", 0.5), erf),
            )
        ),
        *(
            Rule(pattern=pattern, make=_unary("Gelu", approximate=b"tanh"))
            for pattern in (
                ("Mul", ("Mul", "x", 0.5), _TANH),
                ("Mul", "x", ("Mul", _TANH, 0.5)),
                ("Mul", ("Mul", "x", _TANH), 0.5),
            )
        ),
        Rule(pattern=("Mul", ("Div", "x", _ROOT), "w"), make=_rms_norm),
        Rule(pattern=("Mul", ("Mul", "x", ("Reciprocal", _ROOT)), "w"), make=_rms_norm),
        Rule(pattern=("Mul", ("Mul", "x", ("Div", 1.0, _ROOT)), "w"), make=_rms_norm),
    ],
    "Div": [
        Rule(pattern=("Div", ("Mul", "x", _SIX), 6.0), make=_if_clip("HardSwish")),
        *(Rule(pattern=("Div", _CENTRED, one), make=_layer_norm) for one in _DEVIATION),
    ],
    "Add": [
        *(
            Rule(pattern=("Add", ("Mul", ("Div", _CENTRED, one), "w"), "b"), make=_layer_norm)
            for one in _DEVIATION
        ),
        Rule(
            pattern=("Add", ("Mul", ("Reshape", _NORMALIZED, "t"), "w"), "b"), make=_group_norm
        ),
        Rule(pattern=("Add", ("MatMul@product", "x", "w"), "b"), make=_biased),
    ],
}  # fmt: skip
