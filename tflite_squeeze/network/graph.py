"""The one reader of a model's graph: which layer or operation takes what, in the order of the data.

Layers, Keras 3 operations (`x + y`, slices, `keras.ops`), tf_keras's TFOpLambda, shared layers,
nested models, several inputs and outputs, arguments beside tensors. A node says what it is; what
does not know its kind has to leave it, and all around it, as it is.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network import flavors

INPUT = "InputLayer"

Shape = tuple[int | None, ...] | None  # None for a tensor of unknown rank

# What tf_keras's TFOpLambda calls the operations that Keras 3 has too.
_SAME_AS_KERAS_3 = {
    "__operators__.add": "Add", "math.add": "Add", "math.subtract": "Subtract",
    "math.multiply": "Multiply", "math.maximum": "Maximum", "math.minimum": "Minimum",
    "nn.relu": "Relu", "nn.relu6": "Relu6",
    "nn.softmax": "Softmax", "math.sigmoid": "Sigmoid", "concat": "Concatenate",
    "reshape": "Reshape", "split": "Split",
}  # fmt: skip


class Value(str):
    """A tensor of a graph: which output of which node.

    As text it is the node's name, with the number of the output behind it from the second on.

    Attributes:
        node: the name of the node.
        output: which of its outputs.
    """

    node: str
    output: int

    def __new__(cls, node: str, output: int = 0) -> "Value":
        """Names an output of a node."""
        made = super().__new__(cls, f"{node}:{output}" if output else node)
        made.node, made.output = node, output
        return made


@dataclass(frozen=True, kw_only=True)
class Node:
    """One call of a layer, an operation or a nested model.

    Attributes:
        name: unique in the graph; the layer's own name for its first call.
        kind: the class of what is called; operations that both versions of Keras know have the
            name that Keras 3 gives them, others of TensorFlow begin with "tf.".
        layer: the name of what is called; nodes with the same one share it.
        config: its configuration; empty where it has none.
        args: of the call, with a `Value` for each tensor of the graph.
        kwargs: of the call, likewise.
        source: the layer or operation itself; None for one that was added.
        tensors: the symbolic tensors that it puts out; none for one that was added.
        path: names of the nested models around it, the outermost first.
    """

    name: str
    kind: str
    layer: str
    config: dict[str, Any] = field(default_factory=dict)
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    source: Any = None
    tensors: tuple[Any, ...] = ()
    path: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The tensors that it takes, in the order of the call."""
        return tuple(values_in([self.args, self.kwargs]))

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of its outputs."""
        return tuple(_shape(tensor) for tensor in self.tensors)

    @property
    def plain_call(self) -> bool:
        """Whether it takes one tensor and nothing else."""
        given = [value for value in self.kwargs.values() if value is not None]
        return not given and len(self.args) == 1 and isinstance(self.args[0], Value)

    @property
    def operation(self) -> bool:
        """Whether it is an operation, which has no weights, rather than a layer."""
        return self.source is not None and is_operation(self.source)

    def reading(self, swap: Callable[[Value], Value]) -> "Node":
        """The same call on other tensors."""
        args, kwargs = mapped(self.args, swap), mapped(self.kwargs, swap)
        return replace(self, args=args, kwargs=kwargs)


@dataclass(kw_only=True)
class Graph:
    """The nodes of a model by name, each after those whose outputs it takes.

    Attributes:
        name: the model's.
        nodes: by name.
        starts: its inputs, in the structure in which the model takes them.
        ends: its outputs, in the structure in which it returns them.
        entries: (input layer, tensor) for each input of each call of a nested model laid open.
    """

    name: str
    nodes: dict[str, Node] = field(default_factory=dict)
    starts: Any = ()
    ends: Any = ()
    entries: list[tuple[Any, Value]] = field(default_factory=list)

    @property
    def outputs(self) -> tuple[Value, ...]:
        """The outputs, one after the other."""
        return tuple(values_in(self.ends))

    def consumers(self, name: str) -> list[Node]:
        """The nodes that take an output of a node."""
        return [
            node for node in self.nodes.values() if any(one.node == name for one in node.inputs)
        ]

    def calls(self) -> dict[int, list[Node]]:
        """The nodes of each layer or operation, by its id."""
        found: dict[int, list[Node]] = {}
        for node in self.nodes.values():
            if node.source is not None:
                found.setdefault(id(node.source), []).append(node)
        return found

    def insert_after(self, name: str, added: Node, readers: list[str] | None = None) -> None:
        """Puts a node behind another: before all that read it, or before some of them.

        Args:
            name: the other node.
            added: takes the other's first output alone.
            readers: names of those that read the new node now; None for all.
        """
        before, after = Value(name), Value(added.name)

        def swap(value: Value) -> Value:
            return after if value == before else value

        rebuilt: dict[str, Node] = {}
        for node in self.nodes.values():
            if readers is None or node.name in readers:
                node = node.reading(swap)
            rebuilt[node.name] = node
            if node.name == name:
                rebuilt[added.name] = replace(added, args=(before,), kwargs={})
        self.nodes = rebuilt
        if readers is None:
            self.ends = mapped(self.ends, swap)

    def remove(self, name: str) -> None:
        """Takes out a node with one input; its readers read that."""
        (before,) = self.nodes.pop(name).inputs

        def swap(value: Value) -> Value:
            return before if value == name else value

        self.nodes = {key: node.reading(swap) for key, node in self.nodes.items()}
        self.ends = mapped(self.ends, swap)

    def ancestors(self, name: str) -> set[str]:
        """The names of all nodes that a node depends on."""
        found: set[str] = set()
        waiting = [value.node for value in self.nodes[name].inputs]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += [value.node for value in self.nodes[one].inputs]
        return found


def mapped(structure: Any, swap: Callable[[Value], Any]) -> Any:
    """A structure of tuples, lists and dicts with something else for each `Value` in it."""
    return mapped_leaves(structure, lambda leaf: swap(leaf) if isinstance(leaf, Value) else leaf)


def mapped_leaves(structure: Any, swap: Callable[[Any], Any]) -> Any:
    """A structure of tuples, lists and dicts with something else for each of its leaves."""
    if isinstance(structure, dict):
        return {key: mapped_leaves(one, swap) for key, one in structure.items()}
    if isinstance(structure, list | tuple):
        items = [mapped_leaves(one, swap) for one in structure]
        if isinstance(structure, list):
            return items
        return type(structure)(*items) if hasattr(structure, "_fields") else tuple(items)
    return swap(structure)


def flat(structure: Any) -> list[Any]:
    """The leaves of a structure; of dicts in the order of their keys, as Keras has it."""
    if isinstance(structure, dict):
        return [leaf for key in sorted(structure) for leaf in flat(structure[key])]
    if isinstance(structure, list | tuple):
        return [leaf for one in structure for leaf in flat(one)]
    return [structure]


def values_in(structure: Any) -> list[Value]:
    """Each `Value` in a structure."""
    return [leaf for leaf in flat(structure) if isinstance(leaf, Value)]


# tf_keras wraps what TensorFlow computes in layers of its own.
_OPERATION_LAYERS = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod",
                     "InstanceProperty")  # fmt: skip


def is_operation(source: Any) -> bool:
    """Whether something that a graph calls is an operation of either version of Keras."""
    return flavors.flavor_of(source) is None or type(source).__name__ in _OPERATION_LAYERS


def has_graph(model: Any) -> bool:
    """Whether a layer is a model whose layers are joined by a graph that can be read."""
    return _functional(model) is not None


def _functional(model: Any) -> Any:
    """What holds a model's graph: of a Sequential of Keras 3, the functional model inside."""
    inside = getattr(model, "_functional", None) or model
    if not getattr(inside, "_nodes_by_depth", None) or not getattr(inside, "outputs", None):
        return None
    return inside


def graph_of(model: Any, *, opened: bool = True) -> Graph:
    """Reads a Sequential or functional model.

    Args:
        model: of either version of Keras.
        opened: whether nested models are laid open, so that their nodes stand among the others
            where the data goes through them; else each call of one is a node.

    Raises:
        UsageError: it has no graph: it is subclassed, or was never built.
    """
    if not has_graph(model):
        kind, sequential = type(model).__name__, type(model).__name__ == "Sequential"
        said = "was never built" if sequential else f"is subclassed ({kind})"
        raise UsageError(
            f"model {model.name!r} {said}, so it has no graph of layers: "
            + (
                "give it an input shape, or call it once"
                if sequential
                else "build it as a Sequential or functional model"
            )
        )
    reader = _Reader(opened=opened)
    starts, ends = reader.read(model)
    return Graph(
        name=model.name, nodes=reader.nodes, starts=starts, ends=ends, entries=reader.entries
    )


class _Reader:
    """The nodes read so far."""

    def __init__(self, *, opened: bool) -> None:
        self.nodes: dict[str, Node] = {}
        self.entries: list[tuple[Any, Value]] = []
        self._opened = opened
        self._callees: dict[int, str] = {}

    def read(self, model: Any, given: Any = None, path: tuple[str, ...] = ()) -> tuple[Any, Any]:
        """Adds the nodes of a model that is called on values; returns its inputs and outputs."""
        functional = _functional(model)
        starts, ends = _structures(functional)
        values: dict[int, Value] = {}
        if given is None:
            for tensor in flat(starts):
                values[id(tensor)] = self._add_input(tensor)
        else:
            tensors, taken = flat(starts), _matching(given, starts)
            values |= zip(map(id, tensors), taken, strict=True)
            self.entries += zip([one._keras_history[0] for one in tensors], taken, strict=True)

        def swap(item: Any) -> Any:
            return values.get(id(item), item)

        for node in _in_data_order(functional):
            args, kwargs = _arguments(node, swap)
            callee = getattr(node, "operation", None) or node.layer
            made = self._call(callee, args, kwargs, node, path)
            values |= zip(map(id, flat(node.outputs)), made, strict=True)
        return mapped_leaves(starts, swap), mapped_leaves(ends, swap)

    def _add_input(self, tensor: Any) -> Value:
        layer = tensor._keras_history[0]
        shape = _shape(tensor)
        dtype = getattr(tensor.dtype, "name", tensor.dtype)
        name = self._free(flavors.name_of(tensor))
        self.nodes[name] = Node(
            name=name,
            kind=INPUT,
            layer=name,
            config={"batch_shape": (None, *(shape or ())[1:]), "dtype": dtype},
            source=layer,
            tensors=(tensor,),
        )
        return Value(name)

    def _call(
        self, callee: Any, args: Any, kwargs: Any, node: Any, path: tuple[str, ...]
    ) -> list[Value]:
        if self._opened and has_graph(callee):
            given = args[0] if args else kwargs.get("inputs")
            _, ends = self.read(callee, given, (*path, callee.name))
            return values_in(ends)
        # Layers of different nested models may share a name; the same layer may be called twice.
        name = self._free(callee.name)
        outputs = flat(node.outputs)
        self.nodes[name] = Node(
            name=name,
            kind=_kind(callee),
            layer=self._callees.setdefault(id(callee), name),
            config=_config(callee),
            args=tuple(args),
            kwargs=kwargs,
            source=callee,
            tensors=tuple(outputs),
            path=path,
        )
        return [Value(name, index) for index in range(len(outputs))]

    def _free(self, name: str) -> str:
        number, free = 1, name
        while free in self.nodes:
            number += 1
            free = f"{name}_{number}"
        return free


def _structures(functional: Any) -> tuple[Any, Any]:
    """The symbolic inputs and outputs of a model, as it takes and returns them."""
    if hasattr(functional, "_inputs_struct"):
        return functional._inputs_struct, functional._outputs_struct
    return functional._nested_inputs, functional._nested_outputs


def _in_data_order(functional: Any) -> list[Any]:
    """The calls of a model that are no inputs, each after those whose outputs it takes."""
    callees = getattr(functional, "_operations", None) or functional.layers
    places = {id(callee): place for place, callee in enumerate(callees)}
    found = []
    for depth in sorted(functional._nodes_by_depth, reverse=True):
        nodes = [node for node in functional._nodes_by_depth[depth] if not node.is_input]
        callee_of = [getattr(node, "operation", None) or node.layer for node in nodes]
        order = sorted(range(len(nodes)), key=lambda at: places.get(id(callee_of[at]), len(places)))
        found += [nodes[at] for at in order]
    return found


def _arguments(node: Any, swap: Callable[[Any], Any]) -> tuple[Any, dict[str, Any]]:
    given = getattr(node, "arguments", None)
    args, kwargs = (
        (node.call_args, node.call_kwargs) if given is None else (given.args, given.kwargs)
    )
    return mapped_leaves(args, swap), mapped_leaves(dict(kwargs), swap)


def _matching(given: Any, starts: Any) -> list[Value]:
    """What a nested model is called on, in the order of its inputs."""
    if isinstance(given, dict) and not isinstance(starts, dict):
        return [given[flavors.name_of(tensor)] for tensor in flat(starts)]
    return values_in(given)


def _shape(tensor: Any) -> Shape:
    shape = tensor.shape
    if shape is None or getattr(shape, "rank", 0) is None:
        return None
    return tuple(None if size is None else int(size) for size in shape)


def _kind(callee: Any) -> str:
    kind = type(callee).__name__
    if kind == "SlicingOpLambda":
        return "GetItem"
    if kind == "TFOpLambda" and callee.symbol:
        return _SAME_AS_KERAS_3.get(callee.symbol, f"tf.{callee.symbol}")
    return kind


def _config(callee: Any) -> dict[str, Any]:
    try:
        return written(callee)
    except NotImplementedError:  # a layer of someone's own, which cannot be written to a file
        return {}


def written(callee: Any) -> dict[str, Any]:
    """The configuration of a layer, without a warning for lambdas, since no file is written."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*includes a `lambda`")
        return dict(callee.get_config())
