"""Layers that a plan leaves in float or gives 16 bits, by patterns of their names and types."""

import difflib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from tflite_squeeze.errors import PatternError, UsageError
from tflite_squeeze.network.flavors import output_names
from tflite_squeeze.network.graph import Node, graph_of
from tflite_squeeze.network.quantization.plan import ActivationBits, QuantizationPlan
from tflite_squeeze.network.quantization.points import (
    following,
    points_of,
    roundings_of,
    with_bits,
)
from tflite_squeeze.network.quantization.twin import kernel_name
from tflite_squeeze.network.weights import matches

# What `folded` adds to the names of the layers that it makes of one.
_PARTS = ("", "_linear", "_depthwise", "_float", "_image", "_scaled")
_NAMED = 8


def matches_none(option: str, pattern: str, names: Iterable[str]) -> PatternError:
    """The error for a pattern that matches nothing.

    Args:
        option: "keep_float" or "keep_int16".
        pattern: which.
        names: what it might have matched; the nearest are listed.
    """
    there = dict.fromkeys(names)
    near = difflib.get_close_matches(pattern, there, n=_NAMED, cutoff=0.0)
    more = f" and {len(there) - len(near)} more" if len(there) > len(near) else ""
    return PatternError(
        f"{option} names {pattern!r}, which matches none of {', '.join(near)}{more}"
    )


def without_layers(
    plan: QuantizationPlan, model: Any, network: Any, patterns: Iterable[str]
) -> QuantizationPlan:
    """A plan that leaves layers in float: their kernels, and what they put out.

    Args:
        plan: of the network.
        model: the Keras model, whose layers, operations, inputs and outputs are named.
        network: what `folded` made of it.
        patterns: of names or types, such as "boxes", "block_*", "type:Softmax"; the name of a
            nested model means all in it.

    Returns:
        The plan without the entries of these layers. What rounds several tensors, as that of a
        concatenation does its operands, goes with each of them.

    Raises:
        UsageError: a pattern matches nothing.

    Example:
        >>> without_layers(plan, model, folded(model), ["scores"]).activations.keys()
        dict_keys(['image', 'conv'])
    """
    units, roundings = _Units(model, network), roundings_of(network)
    layers = {layer for pattern in patterns for layer in units.matching("keep_float", pattern)}
    weights = {kernel_name(layer) for layer in layers}
    points = {point for layer in layers for point in roundings[layer]}
    left = QuantizationPlan(
        weights={name: one for name, one in plan.weights.items() if name not in weights},
        activations={name: one for name, one in plan.activations.items() if name not in points},
    )
    return with_float_operands(left, network)


def with_activation_bits(
    plan: QuantizationPlan,
    model: Any,
    network: Any,
    bits: Mapping[str, ActivationBits],
    option: str = "keep_int16",
) -> QuantizationPlan:
    """A plan that gives what some layers put out other bits.

    Args:
        plan: of the network; what it leaves in float stays there.
        model: the Keras model.
        network: what `folded` made of it.
        bits: by pattern, as in `without_layers`; the last that matches holds.
        option: whose patterns they are, for messages.

    Returns:
        The plan, with open ranges for what rounds these layers.

    Raises:
        UsageError: a pattern matches nothing, or nothing that is rounded.

    Example:
        >>> with_activation_bits(plan, model, folded(model), {"conv": 16}).activations["conv"].bits
        16
    """
    units, roundings, points = _Units(model, network), roundings_of(network), points_of(network)
    activations = dict(plan.activations)
    for pattern, wanted in bits.items():
        named = {
            point
            for layer in units.matching(option, pattern)
            for point in roundings[layer]
            if point in plan.activations
        }
        if not named:
            raise UsageError(
                f"{option} names {pattern!r}, and nothing of that is rounded to integers by a "
                f"range of its own: name what reads it, or what it reads"
            )
        activations |= {name: with_bits(points[name], wanted) for name in named}
    return plan.model_copy(update={"activations": activations})


def with_float_operands(plan: QuantizationPlan, network: Any) -> QuantizationPlan:
    """A plan in which what stays in float takes floats, where the converter would round it else.

    It gives a concatenation the steps of one operand, and a softmax those of its fixed range,
    whether they have a range or not.

    Args:
        plan: of the network.
        network: what `folded` returned.
    """
    pairs, activations = following(network), dict(plan.activations)
    while spread := {
        operand
        for points, operands in pairs
        if points and not points <= activations.keys()
        for operand in operands & activations.keys()
    }:
        for name in spread:
            del activations[name]
    return plan.model_copy(update={"activations": activations})


class _Units:
    """The layers of a model, and what became of them in its folded network."""

    def __init__(self, model: Any, network: Any) -> None:
        self._original = graph_of(model)
        self._folded = dict.fromkeys(node.layer for node in graph_of(network).nodes.values())
        names = output_names(model)
        ends = self._original.ends
        named = list(ends) if isinstance(ends, dict) else names
        values = self._original.outputs
        self._outputs = dict(zip(named, values, strict=True)) if len(named) == len(values) else {}

    def matching(self, option: str, pattern: str) -> list[str]:
        """The folded layers that a pattern means."""
        found = [layer for layer in self._folded if fnmatchcase(layer, pattern)]
        for node in self._original.nodes.values():
            if self._means(pattern, node):
                found += self._became(node)
        if not found:
            raise self._nothing(option, pattern)
        return found

    def _means(self, pattern: str, node: Node) -> bool:
        ends = (name for name, value in self._outputs.items() if value.node == node.name)
        names = (node.layer, node.name, *node.path, *ends)
        return any(fnmatchcase(name, pattern) for name in names) or (
            node.source is not None and matches(node.source, pattern)
        )

    def _became(self, node: Node) -> list[str]:
        """The names of what `folded` made of a layer; of a normalisation, what took it in."""
        found = [node.layer + part for part in _PARTS if node.layer + part in self._folded]
        if found or not node.inputs:
            return found
        return self._became(self._original.nodes[node.inputs[0].node])

    def _nothing(self, option: str, pattern: str) -> PatternError:
        nodes = self._original.nodes.values()
        types = (f"type:{type(node.source).__name__}" for node in nodes if node.source is not None)
        return matches_none(
            option, pattern, [*(node.layer for node in nodes), *self._outputs, *types]
        )
