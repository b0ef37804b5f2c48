"""Who computes and who reads each tensor of a subgraph."""

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tflite_squeeze.tflite.fields import (
    dtype_name,
    integers,
    operator_name,
    shape_of,
)

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
        """The tensors that the subgraph hands out."""
        return frozenset(integers(self.graph.outputs))

    @cached_property
    def starts(self) -> frozenset[int]:
        """The tensors that the subgraph is given."""
        return frozenset(integers(self.graph.inputs))

    def inputs(self, operator: int) -> tuple[int, ...]:
        """An operator's inputs, those left out not among them."""
        return tuple(at for at in integers(self.graph.operators[operator].inputs) if at >= 0)

    def outputs(self, operator: int) -> tuple[int, ...]:
        """An operator's outputs."""
        return integers(self.graph.operators[operator].outputs)

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
        """Whether a tensor has data in the file, if need be behind a DEQUANTIZE or DENSIFY."""
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
