"""Which function builds which ONNX operator.

A handler takes a `Call` and returns the node's outputs: a `Value`, or a list of them in the order
of the node's. `operators/` holds them by subject; `docs/guides/onnx.md` shows how to add one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

import keras
import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.foreign.onnx.graph import Node, OnnxGraph
from tflite_squeeze.foreign.onnx.values import Value, position, settled

Array = NDArray[Any]
Operand = Value | Array
Handler = Callable[["Call"], Value | list[Value]]
_Handler = TypeVar("_Handler", bound=Handler)

_HANDLERS: dict[str, Handler] = {}
_SUBJECTS = (
    "activations", "arithmetic", "attention", "convolutions", "dense", "indexing",
    "normalizations", "pooling", "recurrent", "reductions", "resizing", "shapes",
)  # fmt: skip
# Computed where they do not depend on the input; they need no layer then.
_CONSTANT_ONLY = frozenset({
    "Constant", "ConstantOfShape", "EyeLike", "GatherElements", "GatherND", "NonZero", "OneHot",
    "Range", "ScatterElements", "ScatterND", "Shape", "Size", "Trilu",
})  # fmt: skip


class Unsupported(Exception):  # noqa: N818  # the field's word; becomes an UnsupportedError
    """An operator in a form that has no layer; the message is the middle of a sentence."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One node that is to be built.

    Attributes:
        node: the node.
        inputs: a `Value` for what depends on the input, an array for a constant, None for what is
            left out.
        shapes: of the outputs at batch 1; None for one that is left out.
        opset: of the graph.
        used: whether anything takes each output.
        name: what its layer is to be called.
        sources: a tensor of the model's input, for what needs the batch size.
        layers: the layers made so far, by what tells them apart.
    """

    node: Node
    inputs: tuple[Operand | None, ...]
    shapes: tuple[tuple[int, ...] | None, ...]
    opset: int
    used: tuple[bool, ...]
    name: str
    source: Any
    layers: dict[Any, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first output."""
        return self.shapes[0] or ()

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute; text comes as str."""
        value = self.node.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def value(self, index: int = 0) -> Value:
        """An input that depends on the model's, its elements in ONNX's order."""
        given = self.given(index)
        if not isinstance(given, Value):
            raise Unsupported(f"with a constant as input {index}")
        return settled(given)

    def array(self, index: int) -> Array | None:
        """A constant input; None if it is left out."""
        given = self.given(index)
        if isinstance(given, Value):
            raise Unsupported(f"whose input {index} depends on the model's input")
        return given

    def given(self, index: int) -> Operand | None:
        """An input of either kind; None if it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def numbers(self, name: str, index: int) -> list[int] | None:
        """Whole numbers, which older opsets have as an attribute and newer ones as an input."""
        found = self.node.attributes.get(name)
        if found is None:
            found = self.array(index)
        return None if found is None else [int(each) for each in np.ravel(found)]

    def layer(
        self,
        kind: type[Any],
        tensor: Any,
        weights: Iterable[Array] = (),
        *,
        part: int = 0,
        **config: Any,
    ) -> Any:
        """Calls a new layer with these weights; nodes with the same ones share it.

        Args:
            kind: of the layer.
            tensor: its input.
            weights: in the layer's order.
            part: which of several layers of one node.
            config: of the layer.
        """
        arrays = [np.asarray(each) for each in weights]
        names = tuple(name for name in self.node.inputs[1:])
        key = (
            kind,
            names,
            part,
            repr(sorted(config.items())),
            tuple(each.shape for each in arrays),
        )
        if arrays and key in self.layers:
            return self.layers[key](tensor)
        made = kind(name=self.free_name(), **config)
        result = made(tensor)
        if arrays:
            made.set_weights(arrays)
            self.layers[key] = made
        return result

    def free_name(self) -> str:
        """A name for one more layer of this node."""
        taken = self.layers.setdefault("names", set())
        name, number = self.name, 1
        while name.lower() in taken:
            number += 1
            name = f"{self.name}_{number}"
        taken.add(name.lower())
        return name

    def parameter(self, array: Array) -> Value:
        """A constant as a value with the axes that it has: a weight, or numbers that stay."""
        from tflite_squeeze.foreign.layers import Parameter

        kinds = {"f": "float32", "b": "bool"}
        dtype = kinds.get(array.dtype.kind, "int32")
        # The first axis of size 1 is most often there for the batch.
        own = array[0] if array.ndim > 1 and len(array) == 1 else array
        tensor = self.layer(
            Parameter, self.source, [own.astype(dtype)], shape=own.shape, weight_dtype=dtype
        )
        axes = tuple(range(array.ndim - own.ndim, array.ndim))
        return Value(tensor=tensor, axes=axes, shape=array.shape)

    def either(self, index: int) -> Value:
        """An input of either kind as a value."""
        given = self.given(index)
        if given is None:
            raise Unsupported(f"without its input {index}")
        return settled(given) if isinstance(given, Value) else self.parameter(given)

    def same(self, tensor: Any, value: Value, *, nonnegative: bool = False) -> Value:
        """The result of something that is done to each element."""
        return Value(tensor=tensor, axes=value.axes, shape=self.shape, nonnegative=nonnegative)


def handles(*kinds: str) -> Callable[[_Handler], _Handler]:
    """Registers the function that builds operators of these types."""

    def register(handler: _Handler) -> _Handler:
        _HANDLERS.update(dict.fromkeys(kinds, handler))
        return handler

    return register


@cache
def handlers() -> dict[str, Handler]:
    """Every handler by the type of its operator."""
    for subject in _SUBJECTS:
        import_module(f"tflite_squeeze.foreign.onnx.operators.{subject}")
    return _HANDLERS


def check_known(graph: OnnxGraph) -> None:
    """Refuses a graph with operators that nothing builds.

    Raises:
        UnsupportedError: it names them all, with how often each is there.
    """
    depending, known = graph.depending(), handlers()
    unknown = [
        node
        for node in graph.nodes
        if node.kind not in known
        and (depending.intersection(node.outputs) or node.kind not in _CONSTANT_ONLY)
    ]
    if unknown:
        counts = graph.kinds(unknown).most_common()
        told = ", ".join(f"{kind} x {count}" for kind, count in counts)
        raise UnsupportedError(
            f"the ONNX model has operators without a Keras layer: {told}; see the page 'Coming "
            f"from ONNX' for how to add one, or replace them in the network and export again"
        )


def axis_of(value: Value, axis: int) -> int:
    """The Keras axis that holds an ONNX axis.

    Raises:
        Unsupported: it is an axis of size 1 that is held nowhere.
    """
    found = position(value, axis % len(value.shape))
    if found is None:
        raise Unsupported("along an axis of size 1 that may be the batch")
    return found


__all__ = [
    "Array", "Call", "Handler", "Operand", "Unsupported", "axis_of", "check_known", "handlers",
    "handles", "keras",
]  # fmt: skip
