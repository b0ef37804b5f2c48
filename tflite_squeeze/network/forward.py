"""A model run node by node on samples, so that a part of it can be run again."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.network import flavors
from tflite_squeeze.network.graph import INPUT, Graph, Node, Value, flat, graph_of, mapped

Array = NDArray[Any]
Values = dict[str, Any]

# A tf_keras model's own losses and metrics are nodes, but no part of its answers.
_ENDINGS = ("AddLoss", "AddMetric")


class Forward:
    """All tensors of a model on samples, in inference mode and eagerly.

    Args:
        model: a Keras model of either version, with a graph of layers.
        inputs: samples by input name, (N, ...).

    Raises:
        UsageError: the model has no graph.

    Example:
        >>> run = Forward(model, {"x": samples})
        >>> layer.kernel.assign(thinner)
        >>> answers = run.outputs_after({id(layer)})
    """

    def __init__(self, model: Any, inputs: dict[str, Array]) -> None:
        self.graph = graph_of(model)
        self._values = first_values(self.graph, model, inputs)
        for node in self.graph.nodes.values():
            if computes(node):
                self._values |= answers(node, self._values)

    @property
    def outputs(self) -> list[Array]:
        """The model's outputs, one after the other."""
        return [np.asarray(self._values[value]) for value in self.graph.outputs]

    def outputs_after(self, changed: Collection[int]) -> list[Array]:
        """The outputs now that some layers have changed; only what follows them is computed.

        Args:
            changed: ids of the layers.
        """
        values, dirty = dict(self._values), set()
        for node in self.graph.nodes.values():
            if not computes(node):
                continue
            if id(node.source) in changed or any(one.node in dirty for one in node.inputs):
                dirty.add(node.name)
                values |= answers(node, values)
        return [np.asarray(values[value]) for value in self.graph.outputs]


def walk(graph: Graph, values: Values) -> Iterator[tuple[Node, Values]]:
    """The nodes of a graph in the order of the data, to be run by the caller.

    Args:
        graph: of the model.
        values: those of `first_values`; the caller adds what each node answers.

    Yields:
        A node and the values that are there before it runs. A value is dropped after its last
        reader, so that a large model's tensors need not all be held.
    """
    last: dict[str, str] = {}
    for node in graph.nodes.values():
        last |= dict.fromkeys(map(str, node.inputs), node.name)
    kept = set(map(str, graph.outputs))
    for node in graph.nodes.values():
        if not computes(node):
            continue
        yield node, values
        for value in set(map(str, node.inputs)):
            if last[value] == node.name and value not in kept:
                values.pop(value, None)


def first_values(graph: Graph, model: Any, inputs: dict[str, Array]) -> Values:
    """The tensors that a graph begins with.

    Args:
        graph: of the model.
        model: the Keras model.
        inputs: samples by input name.
    """
    given = flat(flavors.arranged(model, inputs))
    specs = flat(flavors.input_structure(model))
    return {
        str(value): tf.cast(one, spec.dtype) if spec.dtype != tf.string else tf.constant(one)
        for value, one, spec in zip(flat(graph.starts), given, specs, strict=True)
    }


def answers(node: Node, values: Values) -> Values:
    """What a node answers on the values so far, by name."""
    args, kwargs = (
        mapped(one, lambda value: values[str(value)]) for one in (node.args, node.kwargs)
    )
    given = flat(node.source(*args, **kwargs))
    return {str(Value(node.name, index)): one for index, one in enumerate(given)}


@contextmanager
def without_activation(layer: Any) -> Iterator[Any]:
    """Within it, a layer answers what it computes before its activation.

    Args:
        layer: a Keras layer of either version.

    Yields:
        The activation; None where it has none.
    """
    activation = getattr(layer, "activation", None)
    if activation is None:
        yield None
        return
    layer.activation = _as_it_is
    try:
        yield activation
    finally:
        layer.activation = activation


def _as_it_is(values: Any) -> Any:
    return values


def computes(node: Node) -> bool:
    """Whether a node has something to run."""
    return node.kind != INPUT and node.kind not in _ENDINGS
