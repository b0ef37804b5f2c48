"""Networks run node by node on samples, so that one can follow another.

The tensors of a node are let go of once the last node that takes them has run.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.network.forward import answers, computes, first_values, without_activation
from tflite_squeeze.network.graph import Graph, Node, Value, graph_of

Array = NDArray[Any]

SAMPLES = 512
# Layers whose outputs before their activation are a product of a kernel with rows of the inputs.
SOLVED = ("Dense", "Conv1D", "Conv2D", "Conv3D")
DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
_BYTES = 1.5e9  # of activations at a time


def samples_that_fit(graph: Graph, most: int = SAMPLES) -> int:
    """How many samples two networks can be run on side by side.

    Args:
        graph: of the wider one.
        most: the answer, where memory allows it.
    """
    last = {value.node: place for place, node in enumerate(graph.nodes.values())
            for value in node.inputs}  # fmt: skip
    alive: dict[str, int] = {}
    peak = 1
    for place, node in enumerate(graph.nodes.values()):
        alive[node.name] = sum(
            4 * int(np.prod([size or 1 for size in (shape or ())[1:]])) for shape in node.shapes
        )
        peak = max(peak, sum(alive.values()))
        alive = {name: size for name, size in alive.items() if last.get(name, -1) > place}
    # both networks, and what a layer puts out before its activation
    return int(min(most, max(16, _BYTES // (3 * peak))))


@dataclass
class Running:
    """A network that is run node by node.

    Attributes:
        graph: of the network.
        model: the Keras model.
        inputs: by the name of the input, (N, ...).
        values: what was computed and is still needed.
    """

    graph: Graph
    model: Any
    inputs: Mapping[str, Array]
    values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Counted, since nodes may be run in the order of another graph.
        self._readers = Counter(
            value for node in self.graph.nodes.values() for value in set(node.inputs)
        )
        self._kept = set(self.graph.outputs)
        self.values |= first_values(self.graph, self.model, dict(self.inputs))

    def keep(self, values: Iterable[Value]) -> None:
        """Keeps some tensors to the end."""
        self._kept |= set(values)

    def run(self, node: Node) -> Array | None:
        """Computes a node's outputs on all samples at once: some have no axis of examples.

        Returns:
            What it puts out before its activation, (N, ...); None where it has no other.
        """
        if not computes(node):
            return None
        activation = activation_of(node)
        if activation is None:
            self.values |= answers(node, self.values)
            return None
        before = self.before_activation(node)
        self.values[Value(node.name)] = activation(tf.convert_to_tensor(before))
        return before

    def before_activation(self, node: Node) -> Array:
        """What a layer with one output puts out before its activation, (N, ...)."""
        with without_activation(node.source):
            (before,) = answers(node, self.values).values()
        return np.asarray(before)

    def forget(self, node: Node) -> None:
        """Lets go of what no node needs any more, once a node has run."""
        for value in set(node.inputs):
            self._readers[value] -= 1
            if not self._readers[value] and value not in self._kept:
                self.values.pop(value, None)

    def array(self, value: Value) -> Array:
        """A tensor's values, (N, ...)."""
        return np.asarray(self.values[value])

    def outputs(self) -> list[Array]:
        """The network's outputs."""
        return [self.array(value) for value in self.graph.outputs]


def answers_of(model: Any, inputs: Mapping[str, Array]) -> list[Array]:
    """Runs a model eagerly: to trace each of many candidates would take longer than to run them.

    Args:
        model: of either version of Keras, with a graph.
        inputs: by name.

    Returns:
        Its outputs, one after the other, (N, ...).
    """
    running = Running(graph_of(model), model, inputs)
    for node in running.graph.nodes.values():
        running.run(node)
        running.forget(node)
    return running.outputs()


def activation_of(node: Node) -> Any:
    """The activation of a layer that can be solved, or None where it has none."""
    if node.kind not in (*SOLVED, *DEPTHWISE):
        return None
    activation = node.source.activation
    return None if getattr(activation, "__name__", "") == "linear" else activation
