"""How channels come through changes of shape: Flatten, Reshape, Concatenate, splits."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.graph import Node, Value, flat
from tflite_squeeze.techniques.narrowing.following import Following, Rule, registering, resized
from tflite_squeeze.techniques.narrowing.layer_rules import axes_from_0

Array = NDArray[Any]

RULES: dict[str, Rule] = {}
rule = registering(RULES)

MOVED = "moves channels to another axis"


@rule("Flatten")
def flatten(follow: Following, node: Node) -> str:
    """All channels of the first place, of the second, and so on."""
    if node.source.data_format != "channels_last":
        return "has its channels first"
    return regrouped(follow, node)


def regrouped(follow: Following, node: Node) -> str:
    """Hands on channels where places become channels, or parts of the channels become places."""
    given, width = follow.values[node.inputs[0]], follow.width(Value(node.name))
    if not len(given) or not width:
        return "has a number of channels that is not known"
    if width % len(given) == 0:
        out = np.tile(given, width // len(given))
    elif len(given) % width == 0 and width > 1:
        # The first of each part are the channel of the first place on the new axis.
        out, *others = given.reshape(-1, width)
        for part in others:
            follow.join(out, part)
    else:
        return MOVED
    follow.values[Value(node.name)] = out
    return ""


def reshaped(shape: Any, out: Array) -> Any:
    """The setting of a shape whose last axis is found from the others, or is what stays."""
    return resized(shape, out) if shape[-1] != -1 else None


@rule("Reshape")
def reshape(follow: Following, node: Node) -> str:
    """Channels that stay on the last axis, alone or with places."""
    layer = node.source
    if reason := regrouped(follow, node):
        return reason
    own, _ = follow.port(layer, "out", follow.width(Value(node.name)))
    follow.join(own, follow.values[Value(node.name)])
    if setting := reshaped(layer.target_shape, own):
        follow.sets(layer, "target_shape", setting)
    return ""


@rule("Permute")
def permute(follow: Following, node: Node) -> str:
    """Places change their order; channels have to stay last."""
    if node.source.dims[-1] != len(node.source.dims):
        return MOVED
    follow.values[Value(node.name)] = follow.values[node.inputs[0]]
    return ""


@rule("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "CustomScaleLayer")
def merged(follow: Following, node: Node) -> str:
    """Number by number; what has a single channel is used for all.

    Of Inception-ResNet, `CustomScaleLayer` adds one input to a multiple of the other.
    """
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


@rule("Concatenate")
def concatenate(follow: Following, node: Node) -> str:
    """One behind the other."""
    return concatenated(follow, node, node.source.axis)


def concatenated(follow: Following, node: Node, axis: Any) -> str:
    """Joins channels of several places, or puts them one behind the other."""
    rank = len(follow.shape(Value(node.name)))
    if axes_from_0(axis, rank) != {rank - 1}:
        return broadcast(follow, node)
    together = np.concatenate([follow.values[value] for value in node.inputs])
    if len(together) != follow.width(Value(node.name)):
        return "has a number of channels that is not known"
    follow.values[Value(node.name)] = together
    return ""


def divided(follow: Following, node: Node, ends: Sequence[int] | None) -> list[Array]:
    """Gives each output its part of the channels.

    Args:
        follow: what is known.
        node: the split.
        ends: where parts end but for the last; None where all have to stay equally wide.

    Returns:
        The ids of each part.
    """
    given = follow.values[node.inputs[0]]
    count = len(node.shapes)
    parts = np.split(given, count if ends is None else list(ends))
    for index, part in enumerate(parts):
        follow.values[Value(node.name, index)] = part
        if ends is None:
            follow.join(parts[0], part)
    return parts
