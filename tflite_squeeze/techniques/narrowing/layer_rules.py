"""What layers do with channels: make them, pass them one by one, or sum over them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.graph import Node, Value
from tflite_squeeze.network.layer_state import is_of_keras
from tflite_squeeze.techniques.narrowing.following import (
    Following,
    Role,
    Rule,
    registering,
    resized,
)

Array = NDArray[Any]
RULES: dict[str, Rule] = {}
rule = registering(RULES)

MIXED = "mixes channels"


# Activations of either version of Keras, of TensorFlow, and layers that stand for them.
_ELEMENTWISE = frozenset({
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish",
    "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid",
    "silu", "soft_shrink", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "squareplus",
    "swish", "tanh", "tanh_shrink", "threshold", "ELU", "LeakyReLU", "ReLU",
})  # fmt: skip


def mixes(layer: Any) -> str:
    """Why a layer's activation may depend on several channels together, or ""."""
    for name in ("activation", "recurrent_activation"):
        function = getattr(layer, name, None)
        named = getattr(function, "__name__", type(function).__name__)
        if function is None or (named in _ELEMENTWISE and is_of_keras(_defined(function))):
            continue
        known = named in ("softmax", "log_softmax", "glu", "sparsemax", "Softmax")
        if known:
            return f"computes {named.lower()} over all channels"
        return f"has an {name} that is not known ({named})"
    return ""


def _defined(function: Any) -> Any:
    """A function, or the class of an object that is called."""
    return function if hasattr(function, "__name__") else type(function)


def _ends(follow: Following, node: Node, ids: Array) -> str:
    """The output of a layer with an activation."""
    follow.values[Value(node.name)] = ids
    if reason := mixes(node.source):
        follow.fix(ids, f"layer {node.source.name} ({node.kind}) {reason}")
    return ""


def _objection(layer: Any, weights: int | None = None) -> str:
    """Why a layer is not what its kind is: quantized, with adapters, with its channels first."""
    if getattr(layer, "data_format", "channels_last") not in ("channels_last", None):
        return "has its channels first"
    return "has weights of other kinds" if weights not in (None, len(layer.weights)) else ""


def axes_from_0(axes: Any, rank: int) -> set[int]:
    """One axis, or several, as numbers from 0."""
    axes = axes if isinstance(axes, Sequence) else [axes]
    return {int(axis) % rank for axis in axes}


@rule("Dense")
def dense(follow: Following, node: Node) -> str:
    """Units are made of all channels."""
    layer = node.source
    if objection := _objection(layer, 1 + bool(layer.use_bias)):
        return objection
    given, made = follow.received(node), follow.made(layer, layer.units)
    follow.cuts(layer, 0, -2, given, Role.TAKES)
    follow.cuts(layer, 0, -1, made, Role.MAKES)
    if layer.use_bias:
        follow.cuts(layer, 1, -1, made, Role.MAKES)
    follow.counts(layer, "units", made)
    return _ends(follow, node, made)


@rule("Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
def convolution(follow: Following, node: Node) -> str:
    """Filters are made of all channels, or of those of their group."""
    layer = node.source
    if objection := _objection(layer, 1 + bool(layer.use_bias)):
        return objection
    given, made = follow.received(node), follow.made(layer, layer.filters)
    taken_axis, made_axis = (-1, -2) if node.kind.endswith("Transpose") else (-2, -1)
    groups = getattr(layer, "groups", 1) or 1
    taken = _grouped(follow, layer, given, made, groups)
    if taken is not None:
        follow.cuts(layer, 0, taken_axis, taken, Role.TAKES)
    role = Role.MAKES if taken is not None else Role.PASSES
    follow.cuts(layer, 0, made_axis, made, role)
    if layer.use_bias:
        follow.cuts(layer, 1, -1, made, role)
    follow.counts(layer, "filters", made)
    return _ends(follow, node, made)


def _grouped(follow: Following, layer: Any, given: Array, made: Array, groups: int) -> Array | None:
    """The ids that a grouped convolution sums over; None where it has a channel for each group."""
    if groups == 1:
        return given
    if groups == len(given):
        follow.join(np.repeat(given, len(made) // groups), made)
        follow.counts(layer, "groups", given)
        return None
    inside = equal_parts(follow, given, groups)
    equal_parts(follow, made, groups)
    return inside


def equal_parts(follow: Following, ids: Array, parts: int) -> Array:
    """Joins the first of every part, the second, and so on, so that parts stay of equal width."""
    first, *others = ids.reshape(parts, -1)
    for part in others:
        follow.join(first, part)
    return np.asarray(first)


@rule("DepthwiseConv1D", "DepthwiseConv2D")
def depthwise(follow: Following, node: Node) -> str:
    """Each channel makes `depth_multiplier` of its own."""
    layer = node.source
    if objection := _objection(layer, 1 + bool(layer.use_bias)):
        return objection
    given = follow.received(node)
    made = np.repeat(given, layer.depth_multiplier)
    follow.cuts(layer, 0, -2, given, Role.PASSES)
    if layer.use_bias:
        follow.cuts(layer, 1, -1, made, Role.PASSES)
    return _ends(follow, node, made)


@rule("SeparableConv1D", "SeparableConv2D")
def separable(follow: Following, node: Node) -> str:
    """A depthwise convolution and one of size 1."""
    layer = node.source
    if objection := _objection(layer, 2 + bool(layer.use_bias)):
        return objection
    given, made = follow.received(node), follow.made(layer, layer.filters)
    follow.cuts(layer, 0, -2, given, Role.PASSES)
    follow.cuts(layer, 1, -2, np.repeat(given, layer.depth_multiplier), Role.TAKES)
    follow.cuts(layer, 1, -1, made, Role.MAKES)
    if layer.use_bias:
        follow.cuts(layer, 2, -1, made, Role.MAKES)
    follow.counts(layer, "filters", made)
    return _ends(follow, node, made)


@rule(
    "ReLU", "LeakyReLU", "ELU", "ThresholdedReLU", "Dropout", "SpatialDropout1D",
    "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout", "GaussianDropout", "GaussianNoise",
    "ActivityRegularization", "Identity", "StochasticDepth", "RepeatVector",
)  # fmt: skip
def passing(follow: Following, node: Node) -> str:
    """Each number on its own."""
    follow.values[Value(node.name)] = follow.values[node.inputs[0]]
    return ""


@rule("Activation")
def activation(follow: Following, node: Node) -> str:
    """Each number on its own, but for softmax and the like."""
    return mixes(node.source) or passing(follow, node)


@rule("Softmax")
def softmax(follow: Following, node: Node) -> str:
    """Shares of one axis or several."""
    rank = len(follow.shape(node.inputs[0]))
    return MIXED if rank - 1 in axes_from_0(node.source.axis, rank) else passing(follow, node)


@rule("Rescaling")
def rescaling(follow: Following, node: Node) -> str:
    """One factor and one summand, or some for each channel."""
    if np.ndim(node.source.scale) or np.ndim(node.source.offset):
        return "has a constant for each channel"
    return passing(follow, node)


@rule("PReLU")
def prelu(follow: Following, node: Node) -> str:
    """A slope for each number, or one for several."""
    follow.values[Value(node.name)] = passed = follow.received(node)
    if node.source.weights[0].shape[-1] == len(passed):
        follow.cuts(node.source, 0, -1, passed, Role.PASSES)
    return ""


@rule("LayerScale")
def layer_scale(follow: Following, node: Node) -> str:
    """ConvNeXt's factor for each channel."""
    follow.values[Value(node.name)] = passed = follow.received(node)
    follow.cuts(node.source, 0, 0, passed, Role.PASSES)
    follow.counts(node.source, "projection_dim", passed)
    return ""


_PLACES = (
    "MaxPooling{}", "AveragePooling{}", "GlobalAveragePooling{}", "GlobalMaxPooling{}",
    "ZeroPadding{}", "Cropping{}", "UpSampling{}", "AdaptiveAveragePooling{}",
    "AdaptiveMaxPooling{}",
)  # fmt: skip


@rule(*[name.format(f"{rank}D") for name in _PLACES for rank in (1, 2, 3)], "Resizing")
def places(follow: Following, node: Node) -> str:
    """Places are left out, repeated or put together, for each channel alone."""
    return _objection(node.source) or passing(follow, node)


@rule("Embedding")
def embedding(follow: Following, node: Node) -> str:
    """A row of channels for each index."""
    layer = node.source
    if objection := _objection(layer, 1):
        return objection
    follow.fix(follow.values[node.inputs[0]], f"layer {layer.name} looks up what they say")
    follow.values[Value(node.name)] = made = follow.made(layer, layer.output_dim)
    follow.cuts(layer, 0, 1, made, Role.MAKES)
    follow.counts(layer, "output_dim", made)
    return ""


@rule("EinsumDense")
def einsum_dense(follow: Following, node: Node) -> str:
    """A Dense layer whose last axes are a channel's in and out."""
    layer = node.source
    given, kernel, result = layer.equation.replace("...", "").replace("->", ",").split(",")
    taken, made = given[-1], result[-1]
    bias = layer.bias_axes or ""
    if taken in result or taken not in kernel or made not in kernel or made in given:
        return f"computes {layer.equation}, whose last axes are not summed over and made"
    if objection := _objection(layer, 1 + bool(bias)):
        return objection
    outside = follow.made(layer, follow.width(Value(node.name)))
    follow.cuts(layer, 0, kernel.index(taken), follow.received(node), Role.TAKES)
    follow.cuts(layer, 0, kernel.index(made), outside, Role.MAKES)
    if made in bias:
        follow.cuts(layer, 1, -1, outside, Role.MAKES)
    size = layer.get_config()["output_shape"]
    follow.sets(layer, "output_shape", resized((size,) if isinstance(size, int) else size, outside))
    return _ends(follow, node, outside)
