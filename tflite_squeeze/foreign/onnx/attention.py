"""Attention in a graph: the projections, heads and scale of what exporters write in many nodes.

From each Softmax the search goes back to the products with matrices that make queries, keys and
values, and on to the one behind. What lies between only moves elements. Where each goes is not
guessed from the nodes: the numbers of the elements are sent through them.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.foreign.onnx.fusion import Matcher
from tflite_squeeze.foreign.onnx.graph import Node, OnnxGraph, without_unused
from tflite_squeeze.foreign.onnx.tracing import Trace, compute

Array = NDArray[Any]
KIND = "FusedAttention"
_MOVING = frozenset({
    "Cast", "Dropout", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze",
    "Transpose", "Unsqueeze",
})  # fmt: skip
_MASKED = -1e4  # what is added where nothing may be looked at, or less


class _NotAttention(Exception):  # noqa: N818  # no error: what was found is something else
    pass


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A product with a matrix, of tokens.

    Attributes:
        source: the value that it is made of.
        kernel: shape (features, outputs).
        bias: shape (outputs,).
        output: the name of what it makes.
    """

    source: str
    kernel: Array
    bias: Array | None
    output: str


@dataclass(frozen=True, kw_only=True)
class _Path:
    """Nodes through which elements are moved, and the factor that they get on the way."""

    nodes: tuple[tuple[Node, str], ...]
    factor: float


def with_attention(graph: OnnxGraph, trace: Trace) -> OnnxGraph:
    """The same graph with each attention that is recognised as one node."""
    finder = _Finder(graph, trace)
    found: dict[str, Node] = {}
    for node in graph.nodes:
        if node.kind == "Softmax" and node.outputs[0] not in trace.constants:
            try:
                made = finder.attention(node)
            except (_NotAttention, ValueError, IndexError):
                continue
            found[made.outputs[0]] = made
    nodes = [found.get(node.outputs[0], node) if node.outputs else node for node in graph.nodes]
    return without_unused(replace(graph, nodes=nodes))


class _Finder:
    def __init__(self, graph: OnnxGraph, trace: Trace) -> None:
        self._graph, self._trace = graph, trace
        self._matcher = Matcher(graph, trace)

    def attention(self, softmax: Node) -> Node:
        """The whole attention around a Softmax.

        Raises:
            _NotAttention: it is something else.
        """
        self._check_axis(softmax)
        scores, factor, mask = self._scores(softmax.inputs[0])
        product = self._next(softmax.outputs[0], "MatMul")
        if product.inputs[0] != softmax.outputs[0] and self._moved_from(product.inputs[0]):
            raise _NotAttention
        query, query_path = self._back(scores.inputs[0])
        key, key_path = self._back(scores.inputs[1])
        value, value_path = self._back(product.inputs[1])
        heads = math.prod(self._shape(product.outputs[0])[:-2])
        last, rows = self._forward(product.outputs[0], heads)
        queries = self._columns(query, query_path, scores.inputs[0], heads, swapped=False)
        keys = self._columns(key, key_path, scores.inputs[1], heads, swapped=True)
        values = self._columns(value, value_path, product.inputs[1], heads, swapped=False)
        size = queries.shape[1]
        scale = factor * query_path.factor * key_path.factor * math.sqrt(size)
        kernel = last.kernel[rows.ravel()].reshape(*rows.shape, -1) * value_path.factor
        weights = [
            *_projected(query, queries, scale), *_projected(key, keys, 1.0),
            *_projected(value, values, 1.0),
            kernel, np.zeros(kernel.shape[-1], np.float32) if last.bias is None else last.bias,
        ]  # fmt: skip
        biased = any(each.bias is not None for each in (query, key, value, last))
        if value_path.factor != 1.0 and value.bias is not None:
            raise _NotAttention
        return Node(
            kind=KIND,
            name=softmax.name,
            inputs=(query.source, key.source, value.source),
            outputs=(last.output,),
            attributes={
                "heads": heads,
                "causal": self._is_causal(mask),
                "weights": weights if biased else weights[::2],
                "biased": biased,
            },
        )

    def _shape(self, name: str) -> tuple[int, ...]:
        return self._trace.shapes[name]

    def _constant(self, name: str) -> Array | None:
        return self._trace.constants.get(name)

    def _check_axis(self, softmax: Node) -> None:
        rank = len(self._shape(softmax.outputs[0]))
        default = -1 if self._graph.opset >= 13 else 1
        if softmax.attributes.get("axis", default) % rank != rank - 1:
            raise _NotAttention

    def _scores(self, name: str) -> tuple[Node, float, Array | None]:
        """The product of queries and keys, what it is multiplied with, and the mask added."""
        factor, mask = 1.0, None
        while True:
            node = self._matcher.made_by.get(name)
            if node is None:
                raise _NotAttention
            if node.kind == "MatMul":
                return node, factor, mask
            if node.kind == "Add" and mask is None and factor == 1.0:
                constants = [self._constant(each) for each in node.inputs]
                place = next((at for at, one in enumerate(constants) if one is not None), None)
                if place is None:
                    raise _NotAttention
                mask, name = constants[place], node.inputs[1 - place]
                continue
            more, name = self._scaled(node)
            factor *= more

    def _scaled(self, node: Node) -> tuple[float, str]:
        """What a node multiplies with, and what it multiplies; only moving counts as 1."""
        if node.kind in ("Identity", "Reshape", "Cast"):
            return 1.0, node.inputs[0]
        if node.kind not in ("Mul", "Div"):
            raise _NotAttention
        numbers = [self._matcher.number(each) for each in node.inputs]
        if numbers[1] is not None:
            return (numbers[1] if node.kind == "Mul" else 1 / numbers[1]), node.inputs[0]
        if numbers[0] is not None and node.kind == "Mul":
            return numbers[0], node.inputs[1]
        raise _NotAttention

    def _moved_from(self, name: str) -> bool:
        node = self._matcher.made_by.get(name)
        return node is None or node.kind not in ("Identity", "Dropout", "Cast")

    def _next(self, name: str, kind: str) -> Node:
        """The one node of a kind that takes a value, behind what does nothing."""
        (reader, *more) = self._matcher.readers.get(name, [None])
        if reader is None or more:
            raise _NotAttention
        if reader.kind == kind:
            return reader
        if reader.kind in ("Identity", "Dropout", "Cast"):
            return self._next(reader.outputs[0], kind)
        raise _NotAttention

    def _projection(self, node: Node) -> Projection | None:
        if node.kind not in ("Gemm", "MatMul", "FusedMatMulAdd") or node.attributes.get("transA"):
            return None
        kernel = self._constant(node.inputs[1])
        if kernel is None or kernel.ndim != 2 or node.inputs[0] in self._trace.constants:
            return None
        if node.attributes.get("transB"):
            kernel = kernel.T
        if node.attributes.get("alpha", 1.0) != 1.0 or node.attributes.get("beta", 1.0) != 1.0:
            return None
        bias = self._constant(node.inputs[2]) if len(node.inputs) > 2 else None
        return Projection(
            source=node.inputs[0],
            kernel=kernel,
            bias=None if bias is None else bias.ravel(),
            output=node.outputs[0],
        )

    def _back(self, name: str) -> tuple[Projection, _Path]:
        """The projection that a value is made by, and the way from there."""
        nodes: list[tuple[Node, str]] = []
        factor = 1.0
        while True:
            node = self._matcher.made_by.get(name)
            if node is None:
                raise _NotAttention
            found = self._projection(node)
            if found is not None:
                return found, _Path(nodes=tuple(reversed(nodes)), factor=factor)
            if node.kind in _MOVING:
                nodes.append((node, name))
                name = node.inputs[0]
            else:
                more, name = self._scaled(node)
                factor *= more

    def _sent(self, places: Array, path: _Path) -> Array:
        """Elements at the end of a path, of those at its beginning."""
        for node, output in path.nodes:
            given = [places, *(self._constant(name) for name in node.inputs[1:])]
            made = compute(node, given, self._graph.opset)
            places = made[node.outputs.index(output)]
        return places

    def _columns(
        self, made: Projection, path: _Path, name: str, heads: int, *, swapped: bool
    ) -> Array:
        """Which outputs of a projection each head takes: shape (heads, size)."""
        shape = self._shape(made.output)
        tokens, width = math.prod(shape[:-1]), shape[-1]
        start = np.arange(tokens * width, dtype=np.int64).reshape(shape)
        sent = self._sent(start, path).reshape(heads, *self._shape(name)[-2:])
        if swapped:
            sent = sent.transpose(0, 2, 1)
        token, column = np.divmod(sent, width)
        if sent.shape[1] != tokens or not np.array_equal(
            token, np.broadcast_to(np.arange(tokens)[:, None], sent.shape)
        ):
            raise _NotAttention
        if not np.array_equal(column, np.broadcast_to(column[:, :1], column.shape)):
            raise _NotAttention
        return np.asarray(column[:, 0])

    def _forward(self, name: str, heads: int) -> tuple[Projection, Array]:
        """The projection behind, and which of its rows take each head: shape (heads, size)."""
        shape = self._shape(name)
        tokens, size = shape[-2:]
        nodes: list[tuple[Node, str]] = []
        while True:
            (reader, *more) = self._matcher.readers.get(name, [None])
            if reader is None or more:
                raise _NotAttention
            found = self._projection(reader)
            if found is not None and reader.inputs[0] == name:
                break
            if reader.kind not in _MOVING - {"Split"} or reader.inputs[0] != name:
                raise _NotAttention
            name = reader.outputs[0]
            nodes.append((reader, name))
        start = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
        sent = self._sent(start, _Path(nodes=tuple(nodes), factor=1.0))
        sent = sent.reshape(tokens, -1)
        head, rest = np.divmod(sent, tokens * size)
        token, column = np.divmod(rest, size)
        if not np.array_equal(token, np.broadcast_to(np.arange(tokens)[:, None], token.shape)):
            raise _NotAttention
        place = head * size + column
        if not np.array_equal(place, np.broadcast_to(place[:1], place.shape)):
            raise _NotAttention
        return found, np.argsort(place[0]).reshape(heads, size)

    def _is_causal(self, mask: Array | None) -> bool:
        """Whether a mask hides what comes later, and nothing else."""
        if mask is None:
            return False
        square = mask.reshape(mask.shape[-2:])
        seen = np.tril(np.ones(square.shape, bool))
        if np.all(square[seen] == 0) and np.all(square[~seen] <= _MASKED):
            return True
        if not np.any(square):
            return False
        raise _NotAttention


def _projected(made: Projection, columns: Array, factor: float) -> tuple[Array, Array]:
    """Kernel of shape (features, heads, size) and bias of shape (heads, size)."""
    kernel = made.kernel[:, columns] * np.float32(factor)
    if made.bias is None:
        return kernel, np.zeros(columns.shape, np.float32)
    return kernel, made.bias[columns] * np.float32(factor)
