"""Remedies in error messages, and the places of the operators that they are about."""

from collections.abc import Callable
from typing import Any

from tflite_squeeze.tables.table import listed
from tflite_squeeze.tflite.fields import dtype_name, integers, operator_name
from tflite_squeeze.tflite.weights import constant_buffers

AS_INT8 = "tflite-squeeze convert MODEL --quantize int8 --data DATA -o FILE.tflite"
AS_DENSE_INT8 = (
    "tflite-squeeze convert MODEL --quantize int8 --sparsity dense --data DATA -o FILE.tflite"
)

AS_EIGHT_BITS = (
    "tflite-squeeze convert MODEL --quantize int8 --low-bit off --data DATA -o FILE.tflite, and no "
    "--weight-bits"
)

# Graph, operator, its name → whether it is meant.
Chosen = Callable[[Any, Any, str], bool]


def operator_places(model: Any, chosen: Chosen) -> dict[str, list[str]]:
    """Where operators are, by name: "0:3" is operator 3 of subgraph 0.

    Args:
        model: what `read_model` returned.
        chosen: which ones.
    """
    found: dict[str, list[str]] = {}
    for subgraph, graph in enumerate(model.subgraphs):
        for index, operator in enumerate(graph.operators):
            name = operator_name(model, operator)
            if chosen(graph, operator, name):
                found.setdefault(name, []).append(f"{subgraph}:{index}")
    return found


def places_text(places: dict[str, list[str]]) -> str:
    """Operators with how often and where they occur.

    Example:
        >>> places_text({"DENSIFY": ["0:0", "0:2"]})
        'DENSIFY (2x: 0:0, 0:2)'
    """
    return ", ".join(f"{name} ({len(at)}x: {listed(tuple(at), 2)})" for name, at in places.items())


def few_bit_places(model: Any, chosen: Chosen) -> dict[str, list[str]]:
    """Operators that read weights of 4 or 2 bits, and where they are.

    Args:
        model: what `read_model` returned.
        chosen: which of them.
    """
    stored = constant_buffers(model)
    return operator_places(
        model,
        lambda graph, operator, name: (
            any(
                dtype_name(graph.tensors[at]) in ("int4", "int2")
                for at in integers(operator.inputs)
                if at >= 0 and graph.tensors[at].buffer in stored
            )
            and chosen(graph, operator, name)
        ),
    )
