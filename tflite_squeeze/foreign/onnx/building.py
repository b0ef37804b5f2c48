"""A Keras model from an ONNX graph, node by node."""

import re
from dataclasses import dataclass
from typing import Any

import keras

from tflite_squeeze.errors import UnsupportedError, reason_of
from tflite_squeeze.foreign.onnx.graph import Input, Node, OnnxGraph, plain_name
from tflite_squeeze.foreign.onnx.registry import Call, Operand, Unsupported, handlers
from tflite_squeeze.foreign.onnx.tracing import Trace
from tflite_squeeze.foreign.onnx.values import CHANNELS_LAST, Axes, Value, held, settled

# From the input to these, channels are wanted last; through those, it makes no difference.
_IMAGE_OPERATORS = frozenset({
    "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "DepthToSpace",
    "GlobalAveragePool", "GlobalMaxPool", "InstanceNormalization", "MaxPool", "Resize",
    "SpaceToDepth", "Upsample", "GroupNormalization",
})  # fmt: skip
_ANY_LAYOUT = frozenset({
    "Add", "Cast", "Clip", "Concat", "Div", "Dropout", "Identity", "LeakyRelu", "Mul", "Pad",
    "PRelu", "Relu", "Sigmoid", "Slice", "Split", "Sub", "Tanh",
})  # fmt: skip


# What exporters call outputs that the network has no name for.
_GENERIC = re.compile(r"(output|value|Identity|StatefulPartitionedCall|n?\d+)([_.:]?\d+)*")


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a graph has become.

    Attributes:
        model: the Keras model.
        values: every value that depends on the input, by name.
        inputs: the Keras axes of each ONNX input, by the ONNX name: where each ONNX axis is.
        outputs: the values that the model returns.
    """

    model: Any
    values: dict[str, Value]
    inputs: dict[str, Axes]
    outputs: tuple[Value, ...]


def build(graph: OnnxGraph, trace: Trace, name: str) -> Built:
    """Builds the model.

    Args:
        graph: only with known operators.
        trace: of the same values.
        name: of the model.

    Raises:
        UnsupportedError: an operator is there in a form that has no layer.
    """
    return _Builder(graph, trace).run(name)


class _Builder:
    def __init__(self, graph: OnnxGraph, trace: Trace) -> None:
        self._graph, self._trace = graph, trace
        self._readers = graph.readers()
        self._values: dict[str, Value] = {}
        self._layers: dict[Any, Any] = {}
        self._source: Any = None

    def run(self, name: str) -> Built:
        """Builds every node and joins inputs and outputs to a model."""
        for each in self._graph.inputs:
            self._values[each.name] = self._input(each)
        tensors = [self._values[each.name].tensor for each in self._graph.inputs]
        self._source = tensors[0]
        axes = {each.name: self._values[each.name].axes for each in self._graph.inputs}
        for node in self._graph.nodes:
            depends = any(one in self._values for one in node.inputs)
            if depends and not all(one in self._trace.constants for one in node.outputs if one):
                self._build(node)
        outputs = tuple(self._output(each) for each in self._graph.outputs)
        ends = [value.tensor for value in outputs]
        model = keras.Model(
            tensors[0] if len(tensors) == 1 else tensors,
            ends[0] if len(ends) == 1 else ends,
            name=plain_name(name),
        )
        return Built(model=model, values=self._values, inputs=axes, outputs=outputs)

    def _input(self, given: Input) -> Value:
        rank = len(given.shape)
        axes = tuple(axis for axis in range(rank) if axis != given.batch_axis)
        if rank in CHANNELS_LAST and given.batch_axis == 0 and self._is_image(given.name):
            axes = CHANNELS_LAST[rank]
        kinds = {"int64": "int32", "uint32": "int32", "uint64": "int32"}
        tensor = keras.Input(
            [given.shape[axis] for axis in axes],
            name=plain_name(given.name),
            dtype=kinds.get(given.dtype, given.dtype),
        )
        return Value(tensor=tensor, axes=axes, shape=given.shape)

    def _is_image(self, name: str) -> bool:
        """Whether what is done first with an input wants its channels last."""
        waiting, seen = [name], set()
        while waiting:
            one = waiting.pop()
            if one in seen:
                continue
            seen.add(one)
            for node in self._readers.get(one, ()):
                if node.kind in _IMAGE_OPERATORS:
                    return True
                if node.kind in _ANY_LAYOUT:
                    waiting += node.outputs
        return False

    def _build(self, node: Node) -> None:
        shapes = tuple(self._trace.shapes.get(name) if name else None for name in node.outputs)
        call = Call(
            node=node,
            inputs=tuple(self._operand(name) for name in node.inputs),
            shapes=shapes,
            opset=self._graph.opset,
            used=tuple(
                name in self._readers or name in self._graph.outputs for name in node.outputs
            ),
            name=self._name(node),
            source=self._source,
            layers=self._layers,
        )
        try:
            made = handlers()[node.kind](call)
        except Unsupported as error:
            raise UnsupportedError(
                f"the ONNX node {node.name!r} is a {node.kind} {error}, which has no Keras layer "
                f"here: replace it in the network and export again"
            ) from error
        # What arrays and Keras say of settings that contradict each other.
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise UnsupportedError(
                f"the ONNX node {node.name!r} ({node.kind}) cannot be built as a Keras layer "
                f"({reason_of(error)}): replace it in the network and export again"
            ) from error
        results = made if isinstance(made, list) else [made]
        self._values.update(zip(node.outputs, results, strict=False))

    def _name(self, node: Node) -> str:
        """What a layer is called: as the output that it computes, if that has a name of its own.

        A layer that computes the only output keeps the name of its weights.
        """
        own = _layer_name(node)
        if len(self._graph.outputs) == 1 and own != plain_name(node.name):
            return own
        for output in node.outputs:
            if output in self._graph.outputs and not _GENERIC.fullmatch(output):
                name = plain_name(output)
                others = {_layer_name(other) for other in self._graph.nodes if other is not node}
                return own if name in others | {plain_name(one) for one in self._values} else name
        return own

    def _operand(self, name: str) -> Operand | None:
        if not name:
            return None
        found = self._values.get(name)
        return self._trace.constants.get(name) if found is None else found

    def _output(self, name: str) -> Value:
        """An output with its elements in order, channels last if they are in the model."""
        found = self._values.get(name)
        if found is None:
            raise UnsupportedError(
                f"the ONNX output {name!r} does not depend on the input: leave it out of the export"
            )
        value = settled(found)
        wanted = tuple(sorted(value.axes))
        rank = len(value.shape)
        # Of three axes the last two may also be positions and features, turned round.
        image = rank > 3 or self._takes_images()
        if rank in CHANNELS_LAST and value.axes == CHANNELS_LAST[rank] and image:
            wanted = value.axes
        return value if value.axes == wanted else held(value, wanted)

    def _takes_images(self) -> bool:
        return all(
            self._values[each.name].axes == CHANNELS_LAST.get(len(each.shape))
            for each in self._graph.inputs
        )


def _layer_name(node: Node) -> str:
    """What a layer is called: after its weight where that has a name, else after its node."""
    for name in node.inputs[1:]:
        stem, dot, last = name.rpartition(".")
        if dot and last in ("weight", "bias") and "::" not in stem:
            return plain_name(stem)
    return plain_name(node.name)
