"""What computes the outputs of a model."""

from typing import Any

from tflite_squeeze.network.graph import Graph, Node, Value, graph_of, has_graph

# Layers that leave probabilities what they are, and logits too.
_TRANSPARENT = (
    "Flatten", "Reshape", "Dropout", "Permute", "Identity", "GlobalAveragePooling1D",
    "GlobalAveragePooling2D", "AveragePooling2D", "QuantizedActivation",
)  # fmt: skip


def output_nodes(model: Any) -> list[Node] | None:
    """The node behind each output that decides what it means: the last that is no mere reshaping.

    Args:
        model: a Keras model of either version.

    Returns:
        A node per output, in the order of the graph; None for a model without a graph.
    """
    if not has_graph(model):
        return None
    graph = graph_of(model)
    return [_behind(graph, value) for value in graph.outputs]


def _behind(graph: Graph, value: Value) -> Node:
    while True:
        node = graph.nodes[value.node]
        linear = getattr(getattr(node.source, "activation", None), "__name__", "") == "linear"
        through = node.kind in _TRANSPARENT or (node.kind == "Activation" and linear)
        if not through or len(node.inputs) != 1:
            return node
        value = node.inputs[0]
