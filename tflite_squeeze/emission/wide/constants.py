"""The real values of the constants that a file's operators read, from its form in float."""

from typing import Any

from numpy.typing import NDArray

from tflite_squeeze.tflite.fields import integers, text
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.tensor_values import tensor_values

Array = NDArray[Any]
Place = tuple[str, str, int]


def place_of_input(graph: Any, name: str, operator: Any, slot: int) -> Place:
    """What an input is called in every form of a file.

    Args:
        graph: the subgraph.
        name: the operator's name.
        operator: the operator.
        slot: which of its inputs.

    Returns:
        The operator, the name of what it puts out, and the slot. Operators that were fused have
        names in a row, of which the first stays.
    """
    output = graph.tensors[int(operator.outputs[0])]
    return name, text(output.name).partition(";")[0], slot


def float_constants(tflite: bytes) -> dict[Place, Array]:
    """The float32 constants of a file, by the operator that reads them.

    Args:
        tflite: a file in float.

    Example:
        >>> float_constants(tflite)["MUL", "model/scaled", 1]
        array([0.25], dtype=float32)
    """
    model = read_model(tflite)
    found: dict[Place, Array] = {}
    for subgraph in range(len(model.subgraphs)):
        links = Links(model, subgraph)
        for name, operator in zip(links.names, links.graph.operators, strict=True):
            for slot, tensor in enumerate(integers(operator.inputs)):
                if tensor >= 0 and links.dtype(tensor) == "float32" and links.is_constant(tensor):
                    values = tensor_values(model, subgraph, tensor)
                    if values is not None:
                        found[place_of_input(links.graph, name, operator, slot)] = values
    return found
