"""A model's layers and connections as plain data, read from either Keras, rebuilt in tf_keras."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network import flavors

_INPUT = "InputLayer"
_NESTED = ("Functional", "Sequential", "Model")


@dataclass(frozen=True, kw_only=True)
class Node:
    """One call of one layer.

    Attributes:
        name: unique in the graph; the layer's own name for its first call.
        kind: the layer's class name.
        config: the layer's configuration.
        inputs: names of the nodes whose outputs it takes.
        layer: the name of the layer that is called.
        source: the layer object that weights come from; None for one that was added.
    """

    name: str
    kind: str
    config: dict[str, Any]
    inputs: tuple[str, ...]
    layer: str
    source: Any = None


@dataclass(kw_only=True)
class Graph:
    """The nodes of a model by name, each after those whose outputs it takes."""

    name: str
    nodes: dict[str, Node] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()

    def consumers(self, name: str) -> list[Node]:
        """The nodes that take a node's output."""
        return [node for node in self.nodes.values() if name in node.inputs]

    def insert_after(self, name: str, added: Node, readers: list[str] | None = None) -> None:
        """Puts a node behind another: before all that read it, or before some of them.

        Args:
            name: the other node.
            added: takes the other's output alone.
            readers: names of those that read the new node now; None for all.
        """
        added = replace(added, inputs=(name,))
        rebuilt: dict[str, Node] = {}
        for node in self.nodes.values():
            if name in node.inputs and (readers is None or node.name in readers):
                swapped = tuple(added.name if one == name else one for one in node.inputs)
                node = replace(node, inputs=swapped)
            rebuilt[node.name] = node
            if node.name == name:
                rebuilt[added.name] = added
        self.nodes = rebuilt
        if readers is None:
            self.outputs = tuple(added.name if one == name else one for one in self.outputs)

    def remove(self, name: str) -> None:
        """Takes out a node with one input; its readers read that."""
        gone = self.nodes.pop(name)
        (before,) = gone.inputs
        for node in list(self.nodes.values()):
            if name in node.inputs:
                swapped = tuple(before if one == name else one for one in node.inputs)
                self.nodes[node.name] = replace(node, inputs=swapped)
        self.outputs = tuple(before if one == name else one for one in self.outputs)

    def ancestors(self, name: str) -> set[str]:
        """The names of all nodes that a node depends on."""
        found: set[str] = set()
        waiting = list(self.nodes[name].inputs)
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self.nodes[one].inputs
        return found


def graph_of(model: Any) -> Graph:
    """Reads a Sequential or functional model; models inside it are laid open.

    Args:
        model: of either Keras.

    Raises:
        UsageError: it is subclassed, or calls layers with more than tensors.
    """
    try:
        config = model.get_config()
    except NotImplementedError:
        config = {}
    if "layers" not in config:
        raise UsageError(
            f"model {model.name!r} is subclassed, so its layers cannot be put in another order: "
            f"build it as a Sequential or functional model"
        )
    graph = Graph(name=model.name)
    inputs = []
    for spec in flavors.input_specs(model).values():
        shape = {"batch_shape": (None, *spec.shape[1:]), "dtype": spec.dtype.name}
        name = _free(graph, spec.name)
        graph.nodes[name] = Node(name=name, kind=_INPUT, config=shape, inputs=(), layer=name)
        inputs.append(name)
    graph.outputs = tuple(_add_model(graph, model, config, inputs))
    return graph


def _add_model(graph: Graph, model: Any, config: dict[str, Any], inputs: list[str]) -> list[str]:
    """Adds the nodes of a model that is called on nodes; returns those of its outputs."""
    if "input_layers" not in config:
        current = inputs
        for entry in config["layers"]:
            if entry["class_name"] != _INPUT:
                layer = model.get_layer(entry["config"]["name"])
                current = _add_call(graph, layer, entry, current)
        return current
    made: dict[tuple[str, int], list[str]] = {}
    for place, name in zip(_ends(config["input_layers"]), inputs, strict=True):
        made[place] = [name]
    waiting = [
        (entry, number, node)
        for entry in config["layers"]
        if entry["class_name"] != _INPUT
        for number, node in enumerate(entry["inbound_nodes"])
    ]
    # tf_keras counts the call by which a model inside was made, which is none of this model's.
    layers = config["layers"]
    once = {one["config"]["name"] for one in layers if len(one["inbound_nodes"]) == 1}

    def found(node: Any) -> list[tuple[str, int]]:
        return [(name, 0 if name in once else number) for name, number in _read(node)]

    while waiting:
        ready = [one for one in waiting if all(place in made for place in found(one[2]))]
        if not ready:
            raise UsageError(f"model {model.name!r} has connections that cannot be followed")
        for entry, number, node in ready:
            layer = model.get_layer(entry["config"]["name"])
            sources = [made[place][0] for place in found(node)]
            made[(entry["config"]["name"], number)] = _add_call(graph, layer, entry, sources)
            waiting.remove((entry, number, node))
    ends = _ends(config["output_layers"])
    return [made[(name, 0 if name in once else number)][0] for name, number in ends]


def _add_call(graph: Graph, layer: Any, entry: dict[str, Any], inputs: list[str]) -> list[str]:
    if entry["class_name"] in _NESTED:
        return _add_model(graph, layer, layer.get_config(), inputs)
    # Layers of different models inside may share a name; the same layer may be called twice.
    same = [node for node in graph.nodes.values() if node.source is layer]
    name = _free(graph, layer.name)
    graph.nodes[name] = Node(
        name=name,
        kind=entry["class_name"],
        config=dict(layer.get_config()),
        inputs=tuple(inputs),
        layer=same[0].layer if same else name,
        source=layer,
    )
    return [name]


def _free(graph: Graph, name: str) -> str:
    number, free = 1, name
    while free in graph.nodes:
        number += 1
        free = f"{name}_{number}"
    return free


def _ends(layers: Any) -> list[tuple[str, int]]:
    """(layer, number of its call) of inputs or outputs, which one alone is not a list of."""
    found = list(layers.values()) if isinstance(layers, dict) else layers
    if found and isinstance(found[0], str):
        found = [found]
    return [(str(one[0]), int(one[1])) for one in found]


def _read(node: Any) -> list[tuple[str, int]]:
    """(layer, number of its call) of the tensors that a call takes, in either Keras's form."""
    return list(_tensors(node["args"] if isinstance(node, dict) else node))


def _tensors(value: Any) -> Iterator[tuple[str, int]]:
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            name, number, _ = value["config"]["keras_history"]
            yield str(name), int(number)
        return
    if not isinstance(value, list | tuple):
        return
    if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int):
        yield value[0], value[1]
        return
    for item in value:
        yield from _tensors(item)


def rebuilt(graph: Graph, classes: dict[str, Any] | None = None) -> Any:
    """Builds a tf_keras model of a graph; its weights are new.

    Args:
        graph: what to build.
        classes: layer classes by kind that tf_keras does not have.

    Raises:
        InputError: a layer cannot be built in tf_keras.
    """
    keras = flavors.keras_of(flavors.Flavor.TF_KERAS)
    layers: dict[str, Any] = {}
    tensors: dict[str, Any] = {}
    for node in graph.nodes.values():
        if node.kind == _INPUT:
            shape, dtype = node.config["batch_shape"], node.config["dtype"]
            tensors[node.name] = keras.Input(shape[1:], dtype=dtype, name=node.name)
            continue
        if node.layer not in layers:
            layers[node.layer] = _layer(keras, node, classes or {})
        given = [tensors[name] for name in node.inputs]
        tensors[node.name] = layers[node.layer](given[0] if len(given) == 1 else given)
    starts = [tensors[node.name] for node in graph.nodes.values() if node.kind == _INPUT]
    ends = [tensors[name] for name in graph.outputs]
    return keras.Model(
        starts[0] if len(starts) == 1 else starts,
        ends[0] if len(ends) == 1 else ends,
        name=graph.name,
    )


def _layer(keras: Any, node: Node, classes: dict[str, Any]) -> Any:
    kind = classes.get(node.kind) or getattr(keras.layers, node.kind, None)
    if kind is None:
        raise InputError(
            f"layer {node.name!r} ({node.kind}) does not exist in tf_keras, where Larq's layers "
            f"are: replace it, or keep to inputs='float'"
        )
    known = {"name", "trainable", "dtype"}
    for base in kind.__mro__:
        known |= set(inspect.signature(base.__init__).parameters)
    config = {key: _plain(value) for key, value in node.config.items() if key in known}
    kept = {key: value for key, value in config.items() if not _left_out(key, node.config[key])}
    try:
        return kind.from_config({**kept, "name": node.layer})
    except (TypeError, ValueError) as error:
        raise InputError(
            f"layer {node.name!r} ({node.kind}) cannot be rebuilt in tf_keras "
            f"({str(error).splitlines()[0]}): replace it, or keep to inputs='float'"
        ) from error


def _left_out(key: str, value: Any) -> bool:
    """What only matters before training, where the two Kerases write it differently."""
    ends = ("_initializer", "_regularizer", "_constraint")
    return isinstance(value, dict) and key.endswith(ends)


def _plain(value: Any) -> Any:
    """A dtype policy of Keras 3 as tf_keras names it; all else as it is."""
    if isinstance(value, dict) and value.get("class_name") == "DTypePolicy":
        return value["config"]["name"]
    return value


def copy_weights(graph: Graph, model: Any) -> tuple[str, ...]:
    """Gives a rebuilt model the weights of the layers that its own came from.

    Args:
        graph: what it was built of.
        model: the rebuilt model.

    Returns:
        Names of layers whose weights have other shapes and stay new.
    """
    different = []
    done = set()
    for node in graph.nodes.values():
        if node.source is None or node.layer in done or not node.source.weights:
            continue
        done.add(node.layer)
        layer = model.get_layer(node.layer)
        given = node.source.get_weights()
        if not node.config.get("use_bias", True) and len(given) == len(layer.weights) + 1:
            given = given[:-1]  # a bias that normalisation has made needless
        if [w.shape for w in given] != [tuple(w.shape) for w in layer.weights]:
            different.append(node.layer)
            continue
        layer.set_weights(given)
    return tuple(different)
