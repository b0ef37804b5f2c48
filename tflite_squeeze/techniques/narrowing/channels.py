"""Which layers of a model have to agree on their number of channels, found from its graph.

A channel is made by a convolution or a Dense layer, passes through layers that treat each channel
alone, and ends in the layers that sum over it. Layers whose outputs are added make one group.
"""

from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from tflite_squeeze.errors import UsageError

_MAKES = ("Conv1D", "Conv2D", "Dense")
_DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
_PASSES = ("BatchNormalization", "Activation", "ReLU", "LeakyReLU", "ELU", "Flatten", "Dropout",
           "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout", "GaussianNoise",
           "MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D",
           "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D",
           "GlobalMaxPooling2D", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D",
           "UpSampling1D", "UpSampling2D")  # fmt: skip
_MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")


@dataclass
class Group:
    """Channels that come and go together.

    Attributes:
        size: how many there are.
        makers: layers whose outputs they are.
        passers: layers with a number per channel on the way: normalisation, depthwise kernels.
        takers: layers that sum over them.
        fixed: why their number cannot change; "" where it can.
    """

    size: int
    makers: list[Any] = field(default_factory=list)
    passers: list[Any] = field(default_factory=list)
    takers: list[Any] = field(default_factory=list)
    fixed: str = ""


def channel_groups(model: Any) -> list[Group]:
    """The groups of a model, in the order in which they are made.

    Args:
        model: a functional or sequential Keras model of either flavour.

    Returns:
        Every group that has a maker.

    Raises:
        UsageError: the model has no graph of layers (subclassed).
    """
    graph = _Graph(model)
    for layer in graph.layers:
        graph.add(layer)
    for tensor in tf.nest.flatten(graph.outputs):
        graph.fix(tensor, "its channels are the model's outputs")
    return [group for group in graph.groups() if group.makers]


class _Graph:
    """The groups so far; groups that turn out to be one are joined."""

    def __init__(self, model: Any) -> None:
        functional = getattr(model, "_functional", None) or model
        try:
            self.outputs = functional.outputs
            self.layers = list(functional.layers)
        except AttributeError:
            self.outputs, self.layers = None, []
        if not self.outputs:
            raise UsageError(
                f"model {model.name!r} has no graph of layers to narrow: build it from Sequential "
                f"or the functional API"
            )
        self._groups: list[Group] = []
        self._of: dict[tuple[int, int, int], Group] = {}

    def groups(self) -> list[Group]:
        """All groups, each once."""
        return list({id(group): group for group in self._groups}.values())

    def add(self, layer: Any) -> None:
        """Sorts a layer's inputs and outputs into groups."""
        kind, nodes = type(layer).__name__, layer._inbound_nodes
        inputs = [tensor for node in nodes for tensor in _inputs(node)]
        outputs = [tensor for node in nodes for tensor in tf.nest.flatten(node.output_tensors)]
        reason = _objection(layer, kind, nodes)
        if not reason and kind in _MAKES:
            self._group(outputs[0]).makers.append(layer)
            self._group(inputs[0]).takers.append(layer)
            if _mixes(layer):
                self.fix(outputs[0], f"layer {layer.name} ends in an activation of all channels")
        elif not reason and kind in (*_PASSES, *_DEPTHWISE):
            group = self._joined(inputs[0], outputs[0])
            if layer.weights:
                group.passers.append(layer)
        elif not reason and kind in _MERGES and len({t.shape[-1] for t in inputs}) == 1:
            for tensor in inputs:
                self._joined(outputs[0], tensor)
        else:
            if kind in _MAKES:  # still a maker, for the record
                self._group(outputs[0]).makers.append(layer)
            for tensor in [*inputs, *outputs]:
                self.fix(tensor, reason or f"layer {layer.name} ({kind}) mixes or fixes channels")

    def fix(self, tensor: Any, reason: str) -> None:
        """Says that the channels of a tensor have to stay."""
        group = self._group(tensor)
        group.fixed = group.fixed or reason

    def _group(self, tensor: Any) -> Group:
        key = _key(tensor)
        if key not in self._of:
            self._of[key] = Group(size=int(tensor.shape[-1] or 0))
            self._groups.append(self._of[key])
        return self._of[key]

    def _joined(self, first: Any, second: Any) -> Group:
        kept, gone = self._group(first), self._group(second)
        if kept is gone:
            return kept
        kept.size = min(kept.size, gone.size)  # Flatten has all places in its last axis
        kept.makers += gone.makers
        kept.passers += gone.passers
        kept.takers += gone.takers
        kept.fixed = kept.fixed or gone.fixed
        self._of.update({key: kept for key, group in self._of.items() if group is gone})
        self._groups = [group for group in self._groups if group is not gone]
        return kept


def _objection(layer: Any, kind: str, nodes: Any) -> str:
    """Why nothing around a layer may change its width, or ""."""
    if len(nodes) != 1:
        return f"layer {layer.name} is used {len(nodes)} times"
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return f"layer {layer.name} has its channels first"
    if getattr(layer, "groups", 1) not in (1, None) and kind in _MAKES:
        return f"layer {layer.name} has groups"
    if kind in _DEPTHWISE and layer.depth_multiplier != 1:
        return f"layer {layer.name} multiplies channels"
    if kind == "Activation" and _mixes(layer):
        return f"layer {layer.name} mixes channels"
    if kind == "BatchNormalization" and _axis(layer) not in (-1, len(_shape(nodes)) - 1):
        return f"layer {layer.name} normalises another axis"
    return ""


def _mixes(layer: Any) -> bool:
    """Whether a layer's activation looks at all channels together."""
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return name in ("softmax", "log_softmax", "glu", "sparsemax")


def _axis(layer: Any) -> int:
    axis = layer.axis
    return int(axis[0] if isinstance(axis, list | tuple) else axis)


def _shape(nodes: Any) -> Any:
    return tf.nest.flatten(nodes[0].output_tensors)[0].shape


def _inputs(node: Any) -> list[Any]:
    """The symbolic tensors that a node of either Keras takes."""
    return list(tf.nest.flatten(node.input_tensors)) if not node.is_input else []


def _key(tensor: Any) -> tuple[int, int, int]:
    """Which output of which call of which layer a symbolic tensor is."""
    layer, node, index = tensor._keras_history
    return id(layer), int(node), int(index)
