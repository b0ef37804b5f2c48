"""Advice about a Keras model, before it is converted."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from tflite_squeeze.inspection.advice_record import Advice, AdviceKind
from tflite_squeeze.inspection.inspect_layers import symbolic, tensor_shape

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
