"""Advice about a Keras model, before it is converted."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tflite_squeeze.inspection.record import Advice, AdviceKind, LayerRecord
from tflite_squeeze.network.layer_macs import Shape, layer_macs
from tflite_squeeze.tflite.graph import WeightRecord


def layer_record(layer: Any) -> LayerRecord:
    """Describes one layer of a built model.

    Args:
        layer: a Keras layer of either flavour.
    """
    output = tensor_shape(layer, "output")
    weights = [_weight(variable) for variable in layer.weights]
    return LayerRecord(
        name=layer.name,
        kind=type(layer).__name__,
        output=output,
        parameters=sum(int(np.prod(weight.shape)) for weight in weights),
        weights_bytes=sum(weight.stored_bytes for weight in weights),
        macs=layer_macs(layer, tensor_shape(layer, "input"), output),
        weights=tuple(sorted(weights, key=lambda weight: -weight.stored_bytes)),
    )


def tensor_shape(layer: Any, side: str) -> Shape:
    """The shape of a layer's first symbolic input or output, -1 where it is open.

    Args:
        layer: a Keras layer of either flavour.
        side: "input" or "output".

    Returns:
        The shape; None in a subclassed model, which has no symbolic tensors.
    """
    tensors = symbolic(layer, side)
    if not tensors:
        return None
    return tuple(-1 if size is None else int(size) for size in tensors[0].shape)


def symbolic(layer: Any, side: str) -> list[Any]:
    """A layer's symbolic inputs or outputs; empty where it was never called on any.

    Args:
        layer: a Keras layer of either flavour.
        side: "input" or "output".
    """
    import tensorflow as tf

    try:
        return list(tf.nest.flatten(getattr(layer, side)))
    except (AttributeError, ValueError, RuntimeError):  # never called, or called several times
        nodes = getattr(layer, "_inbound_nodes", [])
        found = getattr(nodes[0], f"{side}_tensors", None) if nodes else None
        return [] if found is None else list(tf.nest.flatten(found))


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


def layer_advice(model: Any, layers: Sequence[Any]) -> tuple[Advice, ...]:
    """Advice that follows from the layers of a model.

    Args:
        model: a Keras model of either flavour.
        layers: its layers, as `model_layers` returns them.

    Returns:
        The advice, in the order of the layers; none for subclassed models, whose layers do not
        tell what follows what.
    """
    last = {id(_origin(tensor)) for tensor in symbolic(model, "output")}
    found = [*_unfolded(layers)]
    for layer in layers:
        if id(layer) not in last:
            found += _own_pass(layer)
    return tuple(found)


def _unfolded(layers: Sequence[Any]) -> Iterator[Advice]:
    """BatchNormalization that nothing absorbs."""
    for layer in layers:
        if type(layer).__name__ != "BatchNormalization":
            continue
        before = [_origin(tensor) for tensor in symbolic(layer, "input")]
        elements = _elements(layer)
        if len(before) != 1 or before[0] is None or elements is None:
            continue
        kind, activation = type(before[0]).__name__, activation_of(before[0])
        kinds = {base.__name__ for base in type(before[0]).__mro__}
        linear = activation in (None, "linear")
        if kinds & _FOLDABLE and linear:
            continue
        # Scale and offset per channel, in float32.
        cost = 2 * 4 * (tensor_shape(layer, "output") or (0,))[-1]
        what = f"a {kind} layer" if linear else f"the activation {activation}"
        yield Advice(
            kind=AdviceKind.UNFUSED_BATCH_NORMALIZATION,
            text=f"BatchNormalization {layer.name!r} follows {what} ({before[0].name!r}), so the "
            f"converter keeps it as a multiplication and an addition: {2 * elements:,} operations "
            f"in every run, {cost:,} bytes: put it right behind a convolution or Dense layer, "
            f"before the activation",
            where=(layer.name,),
            cost_bytes=cost,
            cost_elements=2 * elements,
        )


def _own_pass(layer: Any) -> Iterator[Advice]:
    """An activation that becomes an operator of its own."""
    activation, elements = activation_of(layer), _elements(layer)
    if activation not in _SEPARATE | {"prelu"} or elements is None or hasattr(layer, "cell"):
        return
    yield Advice(
        kind=AdviceKind.UNFUSED_ACTIVATION,
        text=f"activation {activation} of {layer.name!r} becomes an operator of its own: "
        f"{elements:,} numbers read and written again in every run: relu and relu6 cost no pass "
        f"of their own",
        where=(layer.name,),
        cost_bytes=2 * 4 * elements,
        cost_elements=elements,
    )


def activation_of(layer: Any) -> str | None:
    """The name of the activation that a layer applies; None if it has no such setting.

    Args:
        layer: a Keras layer of either flavour.
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


def _origin(tensor: Any) -> Any:
    """The layer that a symbolic tensor comes out of."""
    history = getattr(tensor, "_keras_history", None)
    return None if history is None else history[0]


def _elements(layer: Any) -> int | None:
    """The numbers that a layer puts out for one example."""
    shape = tensor_shape(layer, "output")
    if shape is None or any(size < 0 for size in shape[1:]):
        return None
    return math.prod(shape[1:])
