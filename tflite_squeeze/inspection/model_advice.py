"""Advice about a Keras model, before it is converted."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tflite_squeeze.inspection.record import Advice, AdviceKind, LayerRecord
from tflite_squeeze.network.graph import Graph, Node, Value, graph_of, has_graph
from tflite_squeeze.network.layer_macs import Shape, layer_macs
from tflite_squeeze.tflite.graph import WeightRecord


class Surroundings:
    """What comes before and after each layer of a model; unknown for a subclassed one.

    Args:
        model: a model of either version of Keras.
    """

    def __init__(self, model: Any) -> None:
        self._graph = graph_of(model) if has_graph(model) else Graph(name=model.name)
        self._calls = self._graph.calls()
        self.last = {id(self._graph.nodes[value.node].source) for value in self._graph.outputs}

    def output(self, layer: Any) -> Shape:
        """The shape of a layer's first output, -1 where it is open; None where unknown."""
        nodes = self._calls.get(id(layer))
        return None if nodes is None else _closed(nodes[0].shapes[0])

    def inputs(self, layer: Any) -> list[Shape]:
        """The shapes of the inputs of a layer's first call, likewise."""
        nodes = self._calls.get(id(layer), ())
        return [
            _closed(self._producer(value).shapes[value.output])
            for node in nodes[:1]
            for value in node.inputs
        ]

    def before(self, layer: Any) -> list[Any]:
        """The layers and operations whose outputs a layer takes, in all of its calls."""
        return [self._producer(value).source for value in self._values(layer)]

    def _values(self, layer: Any) -> list[Value]:
        return [value for node in self._calls.get(id(layer), ()) for value in node.inputs]

    def _producer(self, value: Value) -> Node:
        return self._graph.nodes[value.node]


def _closed(shape: Any) -> Shape:
    return None if shape is None else tuple(-1 if size is None else size for size in shape)


def layer_record(layer: Any, around: Surroundings) -> LayerRecord:
    """Describes one layer of a built model.

    Args:
        layer: a layer of either version of Keras.
        around: of the model.
    """
    output = around.output(layer)
    received, *others = around.inputs(layer) or [None]
    weights = [_weight(variable) for variable in layer.weights]
    return LayerRecord(
        name=layer.name,
        kind=type(layer).__name__,
        output=output,
        parameters=sum(int(np.prod(weight.shape)) for weight in weights),
        weights_bytes=sum(weight.stored_bytes for weight in weights),
        macs=layer_macs(layer, received, output, others),
        weights=tuple(sorted(weights, key=lambda weight: -weight.stored_bytes)),
    )


def _weight(variable: Any) -> WeightRecord:
    values = np.asarray(variable.numpy())
    return WeightRecord(
        name=variable.name,
        shape=tuple(values.shape),
        dtype=values.dtype.name,
        stored_bytes=values.nbytes,
        zeros=int(np.count_nonzero(values == 0)) if values.dtype.kind in "biufc" else 0,
        distinct=len(np.unique(values)) if values.dtype.kind in "biufc" else 0,
    )


_FOLDABLE = frozenset({"Conv1D", "Conv2D", "DepthwiseConv2D", "Dense", "Conv2DTranspose"})
_SEPARATE = frozenset({
    "celu", "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_swish", "leaky_relu",
    "mish", "selu", "sigmoid", "silu", "softplus", "softsign", "swish", "tanh",
})  # fmt: skip
_SEPARATE_LAYERS = {"ELU": "elu", "LeakyReLU": "leaky_relu", "PReLU": "prelu"}
_FUSED_LAYERS = frozenset({"ReLU"})


def layer_advice(layers: Sequence[Any], around: Surroundings) -> tuple[Advice, ...]:
    """Advice that follows from the layers of a model.

    Args:
        layers: the layers, as `model_layers` returns them.
        around: of the model.

    Returns:
        The advice, in the order of the layers; none for subclassed models, whose layers do not
        show their order.
    """
    found = [*_unfolded(layers, around)]
    for layer in layers:
        if id(layer) not in around.last:
            found += _own_pass(layer, around)
    return tuple(found)


def _unfolded(layers: Sequence[Any], around: Surroundings) -> Iterator[Advice]:
    """BatchNormalization that cannot be folded into another layer."""
    for layer in layers:
        if type(layer).__name__ != "BatchNormalization":
            continue
        before, elements = around.before(layer), _elements(around.output(layer))
        if len(before) != 1 or elements is None:
            continue
        kind, activation = type(before[0]).__name__, activation_of(before[0])
        kinds = {base.__name__ for base in type(before[0]).__mro__}
        linear = activation in (None, "linear")
        if kinds & _FOLDABLE and linear:
            continue
        # Scale and offset per channel, in float32.
        cost = 2 * 4 * (around.output(layer) or (0,))[-1]
        what = f"a {kind} layer" if linear else f"the activation {activation}"
        yield Advice(
            kind=AdviceKind.UNFUSED_BATCH_NORMALIZATION,
            text=f"BatchNormalization {layer.name!r} follows {what} ({before[0].name!r}), so the "
            f"converter keeps it as a multiplication and an addition: {2 * elements:,} operations "
            f"in every run, {cost:,} bytes: put it directly after a convolution or Dense "
            f"layer, before the activation",
            where=(layer.name,),
            cost_bytes=cost,
            cost_elements=2 * elements,
        )


def _own_pass(layer: Any, around: Surroundings) -> Iterator[Advice]:
    """An activation that becomes a separate operator."""
    activation, elements = activation_of(layer), _elements(around.output(layer))
    if activation not in _SEPARATE | {"prelu"} or elements is None or hasattr(layer, "cell"):
        return
    yield Advice(
        kind=AdviceKind.UNFUSED_ACTIVATION,
        text=f"activation {activation} of {layer.name!r} becomes a separate operator: "
        f"{elements:,} numbers read and written again in every run: relu and relu6 cost no pass "
        f"of their own",
        where=(layer.name,),
        cost_bytes=2 * 4 * elements,
        cost_elements=elements,
    )


def activation_of(layer: Any) -> str | None:
    """The name of the activation that a layer applies; None if it has no such setting.

    Args:
        layer: a layer of either version of Keras.
    """
    kind = type(layer).__name__
    if kind in _SEPARATE_LAYERS:
        return _SEPARATE_LAYERS[kind]
    if kind in _FUSED_LAYERS:
        return "relu"
    activation = getattr(layer, "activation", None)
    if activation is None:
        return None
    return str(getattr(activation, "__name__", type(activation).__name__)).lower()


def _elements(shape: Shape) -> int | None:
    """The number of values that a layer outputs for one example."""
    if shape is None or any(size < 0 for size in shape[1:]):
        return None
    return math.prod(shape[1:])
