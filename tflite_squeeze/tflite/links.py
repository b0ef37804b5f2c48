"""Which operators compute and read each tensor of a subgraph."""

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tflite_squeeze.tflite.fields import (
    dtype_name,
    integers,
    operator_name,
    shape_of,
)
from tflite_squeeze.tflite.tensor_values import tensor_values

_BITS = {
    "int2": 2, "int4": 4, "uint4": 4, "int8": 8, "uint8": 8, "bool": 8, "int16": 16, "uint16": 16,
    "float16": 16, "bfloat16": 16, "int64": 64, "uint64": 64, "float64": 64, "complex64": 64,
    "complex128": 128,
}  # fmt: skip


@dataclass(frozen=True)
class Links:
    """A subgraph seen from its tensors.

    Attributes:
        model: what `read_model` returned.
        subgraph: the index of the subgraph.
    """

    model: Any
    subgraph: int

    @cached_property
    def graph(self) -> Any:
        """The subgraph itself."""
        return self.model.subgraphs[self.subgraph]

    @cached_property
    def names(self) -> list[str]:
        """The names of its operators."""
        return [operator_name(self.model, operator) for operator in self.graph.operators]

    @cached_property
    def producer(self) -> dict[int, int]:
        """The operator that computes a tensor."""
        return {tensor: index for index in range(len(self.names)) for tensor in self.outputs(index)}

    @cached_property
    def readers(self) -> dict[int, list[int]]:
        """The operators that read a tensor."""
        found: dict[int, list[int]] = defaultdict(list)
        for index in range(len(self.names)):
            for tensor in self.inputs(index):
                found[tensor].append(index)
        return found

    @cached_property
    def ends(self) -> frozenset[int]:
        """The tensors that the subgraph outputs."""
        return frozenset(integers(self.graph.outputs))

    @cached_property
    def starts(self) -> frozenset[int]:
        """The tensors that the subgraph takes as inputs."""
        return frozenset(integers(self.graph.inputs))

    def inputs(self, operator: int) -> tuple[int, ...]:
        """An operator's inputs, those left out not among them."""
        return tuple(at for at in integers(self.graph.operators[operator].inputs) if at >= 0)

    def outputs(self, operator: int) -> tuple[int, ...]:
        """An operator's outputs."""
        return integers(self.graph.operators[operator].outputs)

    def is_custom(self, operator: int) -> bool:
        """Whether an operator is none of the built-in ones."""
        about = self.graph.operators[operator]
        return self.model.operatorCodes[about.opcodeIndex].customCode is not None

    def place(self, operator: int) -> str:
        """An operator as advice names it."""
        return f"{self.names[operator]} {self.subgraph}:{operator}"

    def places(self, operators: list[int]) -> tuple[str, ...]:
        """Operators as advice names them."""
        return tuple(self.place(operator) for operator in operators)

    def computed(self, operator: int) -> list[int]:
        """An operator's inputs that are not constant."""
        return [tensor for tensor in self.inputs(operator) if not self.is_constant(tensor)]

    def is_constant(self, tensor: int) -> bool:
        """Whether a tensor has data in the file, possibly through a DEQUANTIZE or DENSIFY."""
        data = self.model.buffers[self.graph.tensors[tensor].buffer].data
        if data is not None and len(data):
            return True
        operator = self.producer.get(tensor)
        if operator is None or self.names[operator] not in ("DEQUANTIZE", "DENSIFY"):
            return False
        source = self.inputs(operator)
        # Only forwards: a damaged file may have two operators that feed each other.
        return bool(source) and source[0] not in self.producer and self.is_constant(source[0])

    def dtype(self, tensor: int) -> str:
        """A tensor's type."""
        return dtype_name(self.graph.tensors[tensor])

    def shape(self, tensor: int) -> tuple[int, ...]:
        """A tensor's shape, -1 where it is open."""
        return shape_of(self.graph.tensors[tensor])

    def elements(self, tensor: int) -> int:
        """How many numbers a tensor has, with 1 for every open dimension."""
        return math.prod(1 if size < 0 else size for size in self.shape(tensor))

    def run_bytes(self, tensor: int) -> int:
        """How many bytes a tensor has in memory, with 1 for every open dimension."""
        return (self.elements(tensor) * _BITS.get(self.dtype(tensor), 32) + 7) // 8

    def data_bytes(self, tensor: int) -> int:
        """How many bytes of data a tensor has in the file."""
        data = self.model.buffers[self.graph.tensors[tensor].buffer].data
        return 0 if data is None else len(data)


_MOST_RUNS = 2**63 - 1  # what loops within loops may come to


def subgraph_runs(model: Any) -> tuple[dict[int, int], tuple[str, ...]]:
    """How often one run of the first signature runs each subgraph.

    Args:
        model: what `read_model` returned.

    Returns:
        Runs by subgraph, 0 for those that it does not reach or runs only once in a life; and the
        names of the operators whose number of runs the file does not show: those count as one.
        A loop runs as often as the constant that its condition compares its counter with.
    """
    signatures = model.signatureDefs or []
    first = signatures[0].subgraphIndex if signatures else 0
    runs = dict.fromkeys(range(len(model.subgraphs)), 0)
    runs[first] = 1
    unknown: set[str] = set()
    limits: dict[int, _Limits] = {}
    for subgraph in _callers_first(model, first):
        for operator in model.subgraphs[subgraph].operators:
            for called, often in _calls(model, operator, subgraph, limits):
                if often is None:
                    unknown.add(operator_name(model, operator))
                more = runs[subgraph] * (1 if often is None else often)
                runs[called] = min(runs[called] + more, _MOST_RUNS)
    return runs, tuple(sorted(unknown))


def _callers_first(model: Any, first: int) -> list[int]:
    """The subgraphs that one reaches, each after all that call it; `read_model` found no cycle."""
    done: list[int] = []
    seen, pending = {first}, [(first, iter(_callees(model, first)))]
    while pending:
        subgraph, callees = pending[-1]
        called = next(callees, None)
        if called is None:
            done.append(subgraph)
            pending.pop()
        elif called not in seen:
            seen.add(called)
            pending.append((called, iter(_callees(model, called))))
    return done[::-1]


def _callees(model: Any, subgraph: int) -> list[int]:
    found = [
        index
        for operator in model.subgraphs[subgraph].operators
        for index in _called_by(model, operator)
    ]
    return list(dict.fromkeys(found))


def _called_by(model: Any, operator: Any) -> list[int]:
    """The subgraphs that an operator runs: of a loop, the body and the condition."""
    name, options = operator_name(model, operator), operator.builtinOptions
    if name == "WHILE" and hasattr(options, "condSubgraphIndex"):
        return [options.bodySubgraphIndex, options.condSubgraphIndex]
    if name == "IF" and hasattr(options, "thenSubgraphIndex"):
        return [options.thenSubgraphIndex, options.elseSubgraphIndex]
    composite = getattr(operator.builtinOptions2, "decompositionSubgraphIndex", None)
    return [] if composite is None else [composite]


def _calls(
    model: Any, operator: Any, subgraph: int, limits: dict[int, "_Limits"]
) -> list[tuple[int, int | None]]:
    """The subgraphs that an operator runs, and how often; None where the file does not show it."""
    called, name = _called_by(model, operator), operator_name(model, operator)
    if name == "WHILE" and called:
        steps = _loop_steps(model, operator, subgraph, limits)
        again = None if steps is None else steps + 1  # the last time, the condition says no
        return [(called[0], steps), (called[1], again)]
    if name == "IF":
        return [(index, None) for index in called]
    return [(index, 1) for index in called]


# What a condition compares with: constants, and places among the inputs of its subgraph.
_Limits = tuple[list[int], list[int]]


def _loop_steps(model: Any, operator: Any, subgraph: int, limits: dict[int, _Limits]) -> int | None:
    """The smallest constant that a loop's condition compares with as an upper bound.

    The loops of recurrent layers count from 0 in steps of 1.
    """
    condition = operator.builtinOptions.condSubgraphIndex
    if condition not in limits:
        limits[condition] = _limits_of(model, condition)
    constants, places = limits[condition]
    given = integers(operator.inputs)
    outer = [_scalar(model, subgraph, given[place]) for place in places if place < len(given)]
    known = [limit for limit in (*constants, *outer) if limit is not None and limit >= 0]
    return min(known) if known else None


def _limits_of(model: Any, condition: int) -> _Limits:
    graph = model.subgraphs[condition]
    places = {tensor: place for place, tensor in enumerate(integers(graph.inputs))}
    constants, open_ = list[int](), list[int]()
    for inner in graph.operators:
        inputs = integers(inner.inputs)
        if operator_name(model, inner) == "LESS" and len(inputs) == 2:
            limit = _scalar(model, condition, inputs[1])
            if limit is not None:
                constants.append(limit)
            elif inputs[1] in places:
                open_.append(places[inputs[1]])
    return constants, list(dict.fromkeys(open_))


def _scalar(model: Any, subgraph: int, tensor: int) -> int | None:
    """The value of a constant tensor with one integer."""
    values = None if tensor < 0 else tensor_values(model, subgraph, tensor)
    if values is None or values.size != 1 or not np.issubdtype(values.dtype, np.integer):
        return None
    return int(values.reshape(-1)[0])
