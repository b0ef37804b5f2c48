"""Which layers of a model have to agree on their number of channels, found from its graph.

A channel is made by a convolution or a Dense layer, passes through layers that treat each channel
alone, and ends in the layers that sum over it. Layers whose outputs are added make one group.
"""

from dataclasses import dataclass, field
from typing import Any

from tflite_squeeze.network.graph import INPUT, Graph, Node, Value, flat, graph_of

_MAKES = ("Conv1D", "Conv2D", "Dense")
_DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
_PASSES = ("BatchNormalization", "Activation", "ReLU", "LeakyReLU", "ELU", "Flatten", "Dropout",
           "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout", "GaussianNoise",
           "MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D",
           "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D",
           "GlobalMaxPooling2D", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D",
           "UpSampling1D", "UpSampling2D", "Relu", "Relu6")  # fmt: skip
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
        model: a functional or sequential Keras model of either version; nested models count as
            what is inside them.

    Returns:
        Every group that has a maker.

    Raises:
        UsageError: the model has no graph of layers (subclassed).
    """
    graph = graph_of(model)
    groups = _Groups(graph)
    for node in graph.nodes.values():
        groups.add(node)
    for value in graph.outputs:
        groups.fix(value, "its channels are the model's outputs")
    return [group for group in groups.found() if group.makers]


class _Groups:
    """The groups so far; groups that turn out to be one are joined."""

    def __init__(self, graph: Graph) -> None:
        self._shapes = {
            Value(node.name, index): shape
            for node in graph.nodes.values()
            for index, shape in enumerate(node.shapes)
        }
        self._calls = {key: len(nodes) for key, nodes in graph.calls().items()}
        self._groups: list[Group] = []
        self._of: dict[Value, Group] = {}

    def found(self) -> list[Group]:
        """All groups, each once."""
        return list({id(group): group for group in self._groups}.values())

    def add(self, node: Node) -> None:
        """Sorts a node's inputs and outputs into groups."""
        layer, kind, inputs = node.source, node.kind, node.inputs
        outputs = [Value(node.name, index) for index in range(len(node.shapes))]
        what = f"{'operation' if node.operation else 'layer'} {layer.name}"
        reason = _objection(node, what, self._calls[id(layer)])
        if not reason and kind in _MAKES:
            self._group(outputs[0]).makers.append(layer)
            self._group(inputs[0]).takers.append(layer)
            if _mixes(layer):
                self.fix(outputs[0], f"{what} ends in an activation of all channels")
        elif not reason and kind in (*_PASSES, *_DEPTHWISE):
            group = self._joined(inputs[0], outputs[0])
            if not node.operation and layer.weights:
                group.passers.append(layer)
        elif not reason and kind in _MERGES and self._alike(node):
            for value in inputs:
                self._joined(outputs[0], value)
        else:
            if kind in _MAKES and node.name == node.layer:  # still a maker, for the record
                self._group(outputs[0]).makers.append(layer)
            for value in [*inputs, *outputs]:
                self.fix(value, reason or f"{what} ({kind}) mixes or fixes channels")

    def _alike(self, node: Node) -> bool:
        """Whether a node takes tensors alone, of the same number of axes and of channels."""
        shapes = [self._shapes[value] for value in node.inputs]
        given = [leaf for leaf in flat([node.args, node.kwargs]) if leaf is not None]
        if len(shapes) != len(given) or None in shapes:
            return False
        return len({(len(shape), shape[-1]) for shape in shapes if shape}) == 1

    def fix(self, value: Value, reason: str) -> None:
        """Says that the channels of a tensor have to stay."""
        group = self._group(value)
        group.fixed = group.fixed or reason

    def _group(self, value: Value) -> Group:
        if value not in self._of:
            shape = self._shapes[value]
            self._of[value] = Group(size=(shape[-1] if shape else 0) or 0)
            self._groups.append(self._of[value])
        return self._of[value]

    def _joined(self, first: Value, second: Value) -> Group:
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


def _objection(node: Node, what: str, calls: int) -> str:
    """Why nothing around a node may change its width, or ""."""
    layer, kind = node.source, node.kind
    if calls != 1:
        return f"{what} is used {calls} times"
    if node.operation or kind == INPUT:
        return ""
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return f"{what} has its channels first"
    if getattr(layer, "groups", 1) not in (1, None) and kind in _MAKES:
        return f"{what} has groups"
    if kind in _DEPTHWISE and layer.depth_multiplier != 1:
        return f"{what} multiplies channels"
    if kind == "Activation" and _mixes(layer):
        return f"{what} mixes channels"
    if kind == "BatchNormalization" and _axis(layer) not in (-1, len(node.shapes[0] or ()) - 1):
        return f"{what} normalises another axis"
    return ""


def _mixes(layer: Any) -> bool:
    """Whether a layer's activation depends on all channels together."""
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return name in ("softmax", "log_softmax", "glu", "sparsemax")


def _axis(layer: Any) -> int:
    axis = layer.axis
    return int(axis[0] if isinstance(axis, list | tuple) else axis)
