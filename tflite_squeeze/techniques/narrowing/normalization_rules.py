"""What normalisation does with channels: on its own, or with statistics over several.

Where the statistics are of several channels together, they change with the width, so that even
channels of zeros cannot go without a change of the outputs: these are inexact.
"""

from typing import Any

from numpy.typing import NDArray

from tflite_squeeze.network.graph import Node, Value
from tflite_squeeze.techniques.narrowing.following import Following, Role, Rule, registering
from tflite_squeeze.techniques.narrowing.layer_rules import axes_from_0, equal_parts

Array = NDArray[Any]

RULES: dict[str, Rule] = {}
rule = registering(RULES)


def _scaled(follow: Following, node: Node) -> Array:
    """Hands the channels on through a layer with a number for each in some of its weights."""
    follow.values[Value(node.name)] = passed = follow.received(node)
    for index, weight in enumerate(node.source.weights):
        if weight.shape and weight.shape[-1] == len(passed):
            follow.cuts(node.source, index, -1, passed, Role.PASSES)
    return passed


@rule("BatchNormalization")
def batch_normalization(follow: Following, node: Node) -> str:
    """Four numbers for each channel."""
    rank = len(follow.shape(node.inputs[0]))
    if axes_from_0(node.source.axis, rank) != {rank - 1}:
        return "normalises another axis"
    _scaled(follow, node)
    return ""


@rule("LayerNormalization", "RMSNormalization")
def layer_normalization(follow: Following, node: Node) -> str:
    """Statistics over the channels, and a scale and a shift for each."""
    rank = len(follow.shape(node.inputs[0]))
    if rank - 1 not in axes_from_0(node.source.axis, rank):
        follow.values[Value(node.name)] = follow.values[node.inputs[0]]
        return ""
    passed = _scaled(follow, node)
    reason = f"layer {node.source.name} ({node.kind}) has statistics over all channels"
    follow.rough.append((passed, reason))
    return ""


@rule("GroupNormalization")
def group_normalization(follow: Following, node: Node) -> str:
    """Statistics over groups of channels; with a group for each, as for instances."""
    layer, rank = node.source, len(follow.shape(node.inputs[0]))
    if axes_from_0(layer.axis, rank) != {rank - 1}:
        return "normalises another axis"
    passed = _scaled(follow, node)
    if layer.groups in (-1, len(passed)):
        if layer.get_config()["groups"] != -1:
            follow.counts(layer, "groups", passed)
        return ""
    equal_parts(follow, passed, layer.groups)
    reason = f"layer {layer.name} ({node.kind}) has statistics over several channels"
    follow.rough.append((passed, reason))
    return ""


@rule("UnitNormalization")
def unit_normalization(follow: Following, node: Node) -> str:
    """The norm of the channels: zeros add nothing to it."""
    follow.values[Value(node.name)] = follow.values[node.inputs[0]]
    return ""
