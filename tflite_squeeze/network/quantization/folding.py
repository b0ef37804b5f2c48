"""A network in the form in which its file computes: normalisation folded, activations apart.

Reference: Jacob et al. 2018, arXiv:1712.05877, 3.2.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network import flavors
from tflite_squeeze.network.graph import Graph, Node, graph_of
from tflite_squeeze.network.rewriting import LayerSpec, Replacements, changed, rewritten

Array = NDArray[Any]

NORMALISATION = "BatchNormalization"
# The axis of the kernel that counts outputs, or both of a depthwise kernel's.
OUTPUT_AXES: dict[str, tuple[int, ...]] = {
    "Dense": (-1,), "Conv1D": (-1,), "Conv2D": (-1,), "Conv3D": (-1,),
    "Conv1DTranspose": (-2,), "Conv2DTranspose": (-2,), "Conv3DTranspose": (-2,),
    "DepthwiseConv1D": (-2, -1), "DepthwiseConv2D": (-2, -1),
}  # fmt: skip
_SEPARABLE = ("SeparableConv1D", "SeparableConv2D")
# What a file's operators apply by themselves.
FUSED = ("linear", "relu", "relu6")


def folded(model: Any) -> Any:
    """An equal network without what a file does not have as operators of its own.

    BatchNormalization goes into the layer before it; one that cannot becomes a depthwise
    convolution of one weight a channel where the tensors are images. Separable convolutions
    become a depthwise and a 1 x 1 convolution. Activations inside layers that an operator does
    not apply by itself become layers.

    Args:
        model: a Keras model of either version, in float32, with a graph of layers.

    Returns:
        A new model; layers keep their names.

    Raises:
        UsageError: it has no graph, or a layer cannot be rebuilt.

    Example:
        >>> [type(layer).__name__ for layer in folded(model).layers]
        ['InputLayer', 'Conv2D', 'ReLU', 'Dense']
    """
    apart = rewritten(model, _apart(graph_of(model)))
    return rewritten(apart, _folds(graph_of(apart)))


def _apart(graph: Graph) -> Replacements:
    """Layers that compute several things, as several layers."""
    found: dict[int, list[LayerSpec]] = {}
    for key, nodes in graph.calls().items():
        node = nodes[0]
        if node.kind in _SEPARABLE:
            found[key] = _separated(node)
        elif node.kind in OUTPUT_AXES and _activation(node) not in FUSED:
            found[key] = _activation_apart(changed(node.source))
    return found


def _activation(node: Node) -> Any:
    return node.config.get("activation") or "linear"


def _activation_apart(whole: LayerSpec) -> list[LayerSpec]:
    """A layer, and its activation as a layer that has its name."""
    config = whole.config
    activation = {"name": config["name"], "activation": config["activation"]}
    first = {**config, "name": f"{config['name']}_linear", "activation": "linear"}
    bare = LayerSpec(kind=whole.kind, config=first, weights=whole.weights, like=whole.like)
    return [bare, LayerSpec(kind="Activation", config=activation, weights=())]


def _separated(node: Node) -> list[LayerSpec]:
    """A separable convolution as a depthwise and a pointwise one."""
    layer, config = node.source, node.config
    depthwise, pointwise, *bias = layer.get_weights()
    shared: dict[str, Any] = {
        key: config[key] for key in ("data_format", "trainable") if key in config
    }
    first: dict[str, Any] = {
        **shared, "name": f"{config['name']}_depthwise", "kernel_size": config["kernel_size"],
        "strides": config["strides"], "padding": config["padding"],
        "dilation_rate": config["dilation_rate"],
        "depth_multiplier": config["depth_multiplier"], "use_bias": False,
    }  # fmt: skip
    second: dict[str, Any] = {
        **shared, "name": config["name"], "filters": config["filters"], "kernel_size": 1,
        "use_bias": config["use_bias"], "activation": config["activation"],
    }  # fmt: skip
    kind = node.kind.removeprefix("Separable")
    chain = [
        LayerSpec(kind=f"Depthwise{kind}", config=first, weights=(depthwise,)),
        LayerSpec(kind=kind, config=second, weights=(pointwise, *bias)),
    ]
    if _activation(node) in FUSED:
        return chain
    return [chain[0], *_activation_apart(chain[1])]


def _folds(graph: Graph) -> Replacements:
    """What takes in a normalisation, or stands for it."""
    calls = graph.calls()
    found: dict[int, list[LayerSpec]] = {}
    for key, nodes in calls.items():
        node = nodes[0]
        if node.kind != NORMALISATION or len(nodes) > 1 or not node.plain_call:
            continue
        scale, shift = scale_and_shift(node.source)
        before = graph.nodes[node.inputs[0].node]
        if _takes_in(graph, before, node, len(calls.get(id(before.source), ()))):
            found[id(before.source)] = [_with_scale(before, scale, shift)]
            found[key] = []
        elif len(node.shapes[0] or ()) == 4 and _axis(node) in (-1, 3):
            found[key] = [_as_depthwise(node, scale, shift)]
    return found


def _axis(node: Node) -> int:
    axis = node.config["axis"]
    return int(axis[0]) if isinstance(axis, list | tuple) else int(axis)


def _takes_in(graph: Graph, before: Node, norm: Node, calls: int) -> bool:
    """Whether a layer's outputs go through a normalisation and nowhere else."""
    rank = len(norm.shapes[0] or ())
    channels_first = before.config.get("data_format") == "channels_first"
    return (
        before.kind in OUTPUT_AXES
        and calls == 1
        and before.path == norm.path
        and before.config.get("activation") in (None, "linear")
        and before.name not in {value.node for value in graph.outputs}
        and len(graph.consumers(before.name)) == 1
        and _axis(norm) in ((1,) if channels_first else (-1, rank - 1))
    )


def scale_and_shift(norm: Any) -> tuple[Array, Array]:
    """What a BatchNormalization multiplies by and adds in inference, each (channels,).

    Args:
        norm: the layer, built.
    """
    values = [np.asarray(one, np.float64) for one in norm.get_weights()]
    mean, variance = values[-2:]
    gamma = values.pop(0) if norm.scale else np.ones_like(mean)
    beta = values[0] if norm.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return scale, beta - mean * scale


def _with_scale(node: Node, scale: Array, shift: Array) -> LayerSpec:
    """A layer with a normalisation of its outputs in its kernel and bias."""
    kernel, *rest = node.source.get_weights()
    axes = OUTPUT_AXES[node.kind]
    shape = [1] * kernel.ndim
    for axis in axes:
        shape[axis] = kernel.shape[axis]
    bias = rest[0] if rest else 0.0
    weights = (
        (kernel * scale.reshape(shape)).astype(np.float32),
        (bias * scale + shift).astype(np.float32),
    )
    return changed(node.source, weights, use_bias=True)


def _as_depthwise(node: Node, scale: Array, shift: Array) -> LayerSpec:
    config = {"name": node.config["name"], "kernel_size": 1, "trainable": node.source.trainable}
    weights = (scale.reshape(1, 1, -1, 1).astype(np.float32), shift.astype(np.float32))
    return LayerSpec(kind="DepthwiseConv2D", config=config, weights=weights)


def unfolded(model: Any) -> tuple[str, ...]:
    """The names of normalisations that a folded model still has."""
    layers = flavors.walk_layers(model)
    return tuple(layer.name for layer in layers if type(layer).__name__ == NORMALISATION)
