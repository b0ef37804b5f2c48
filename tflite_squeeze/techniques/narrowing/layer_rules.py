"""What layers do with channels: a rule for each kind that is known.

A rule notes in a `Following` which ids a call of a layer puts out, which axes of its weights have
which, and what changes in its configuration. It returns why it cannot, or "".
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.graph import Node, Value, flat
from tflite_squeeze.techniques.narrowing.following import Following, Role

Array = NDArray[Any]
Rule = Callable[[Following, Node], str]

RULES: dict[str, Rule] = {}


def rule(*kinds: str) -> Callable[[Rule], Rule]:
    """Registers what a function says for some kinds of layers."""

    def registered(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, function))
        return function

    return registered


def mixes(layer: Any) -> bool:
    """Whether a layer's activation depends on all channels together."""
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return name in ("softmax", "log_softmax", "glu", "sparsemax")


def _channels_last(layer: Any) -> bool:
    return getattr(layer, "data_format", "channels_last") in ("channels_last", None)


def _ends(follow: Following, node: Node, ids: Array) -> str:
    """The output of a layer with an activation."""
    follow.values[Value(node.name)] = ids
    if mixes(node.source):
        follow.fix(ids, f"layer {node.source.name} ends in an activation of all channels")
    return ""


def _weights_objection(layer: Any, known: int) -> str:
    """Layers that were quantized, or have adapters, have weights that are not known."""
    return "" if len(layer.weights) == known else "has weights of other kinds"


def axes_from_0(axes: Any, rank: int) -> set[int]:
    """One axis, or several, as numbers from 0."""
    axes = axes if isinstance(axes, Sequence) else [axes]
    return {int(axis) % rank for axis in axes}


@rule("Dense")
def dense(follow: Following, node: Node) -> str:
    """Units are made of all channels."""
    layer = node.source
    if objection := _weights_objection(layer, 1 + bool(layer.use_bias)):
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
    objection = _weights_objection(layer, 1 + bool(layer.use_bias))
    if not _channels_last(layer):
        objection = "has its channels first"
    if objection:
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
    objection = _weights_objection(layer, 1 + bool(layer.use_bias))
    if not _channels_last(layer):
        objection = "has its channels first"
    if objection:
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
    objection = _weights_objection(layer, 2 + bool(layer.use_bias))
    if not _channels_last(layer):
        objection = "has its channels first"
    if objection:
        return objection
    given, made = follow.received(node), follow.made(layer, layer.filters)
    follow.cuts(layer, 0, -2, given, Role.PASSES)
    follow.cuts(layer, 1, -2, np.repeat(given, layer.depth_multiplier), Role.TAKES)
    follow.cuts(layer, 1, -1, made, Role.MAKES)
    if layer.use_bias:
        follow.cuts(layer, 2, -1, made, Role.MAKES)
    follow.counts(layer, "filters", made)
    return _ends(follow, node, made)


@rule("BatchNormalization")
def batch_normalization(follow: Following, node: Node) -> str:
    """Four numbers for each channel."""
    layer = node.source
    rank = len(follow.shapes[node.inputs[0]] or ())
    if axes_from_0(layer.axis, rank) != {rank - 1}:
        return "normalises another axis"
    follow.values[Value(node.name)] = passed = follow.received(node)
    for index, weight in enumerate(layer.weights):
        if tuple(weight.shape) == (len(passed),):
            follow.cuts(layer, index, 0, passed, Role.PASSES)
    return ""


@rule(
    "ReLU", "LeakyReLU", "ELU", "ThresholdedReLU", "Dropout", "SpatialDropout1D",
    "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout", "GaussianDropout", "GaussianNoise",
    "ActivityRegularization", "Identity",
)  # fmt: skip
def passing(follow: Following, node: Node) -> str:
    """Each number on its own."""
    follow.values[Value(node.name)] = follow.values[node.inputs[0]]
    return ""


@rule("Activation")
def activation(follow: Following, node: Node) -> str:
    """Each number on its own, but for softmax and the like."""
    return "mixes channels" if mixes(node.source) else passing(follow, node)


_PLACES = (
    "MaxPooling{}", "AveragePooling{}", "GlobalAveragePooling{}", "GlobalMaxPooling{}",
    "ZeroPadding{}", "Cropping{}", "UpSampling{}",
)  # fmt: skip


@rule(*[name.format(f"{rank}D") for name in _PLACES for rank in (1, 2, 3)])
def places(follow: Following, node: Node) -> str:
    """Places are left out, repeated or put together, for each channel alone."""
    return passing(follow, node) if _channels_last(node.source) else "has its channels first"


@rule("Flatten")
def flatten(follow: Following, node: Node) -> str:
    """All channels of the first place, of the second, and so on."""
    if not _channels_last(node.source):
        return "has its channels first"
    given, size = follow.values[node.inputs[0]], follow.width(Value(node.name))
    if not len(given) or not size:
        return "has a number of places that is not known"
    follow.values[Value(node.name)] = np.tile(given, size // len(given))
    return ""


@rule("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
def merged(follow: Following, node: Node) -> str:
    """Number by number; what has a single channel is used for all."""
    given = [leaf for leaf in flat([node.args, node.kwargs]) if leaf is not None]
    if len(given) != len(node.inputs):
        return "takes something beside tensors"
    return broadcast(follow, node)


def broadcast(follow: Following, node: Node) -> str:
    """Joins the channels of all inputs with those of the output."""
    width = follow.width(Value(node.name))
    out = follow.new(width)
    for value in node.inputs:
        ids = follow.values[value]
        if len(ids) == width:
            follow.join(out, ids)
        elif len(ids) == 1:
            what = f"{'operation' if node.operation else 'layer'} {node.source.name}"
            follow.fix(ids, f"{what} ({node.kind}) uses the only channel for all others")
        elif len(ids) or follow.shapes[value] != ():
            return "mixes or fixes channels"
    follow.values[Value(node.name)] = out
    return ""
