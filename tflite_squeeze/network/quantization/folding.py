"""A network in the form in which its file computes: normalisation folded, activations apart.

Reference: Jacob et al. 2018, arXiv:1712.05877, 3.2.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network import flavors
from tflite_squeeze.network.graph import Graph, Node, Value, graph_of
from tflite_squeeze.network.rewriting import LayerSpec, Replacements, changed, rewritten

Array = NDArray[Any]

NORMALISATION = "BatchNormalization"
# They multiply and add constants in inference.
_AFFINE = (NORMALISATION, "Normalization", "Rescaling")
_NEGATIVE = ("Negative", "tf.math.negative")
# The axis of the kernel that counts outputs, or both of a depthwise kernel's.
OUTPUT_AXES: dict[str, tuple[int, ...]] = {
    "Dense": (-1,), "Conv1D": (-1,), "Conv2D": (-1,), "Conv3D": (-1,),
    "Conv1DTranspose": (-2,), "Conv2DTranspose": (-2,), "Conv3DTranspose": (-2,),
    "DepthwiseConv1D": (-2, -1), "DepthwiseConv2D": (-2, -1),
}  # fmt: skip
# TFLite computes them in float only.
IN_FLOAT = frozenset({"Conv3D", "Conv3DTranspose"})
_SEPARABLE = ("SeparableConv1D", "SeparableConv2D")
# What a file's operators apply by themselves, and those that apply none.
FUSED = ("linear", "relu", "relu6")
UNFUSING = frozenset({"Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "Conv3D"})


def folded(model: Any) -> Any:
    """An equal network without what a file does not have as operators of its own.

    BatchNormalization, Normalization and Rescaling go into the layer before them; those that
    cannot become a depthwise convolution of one weight a channel. Separable convolutions become a
    depthwise and a 1 x 1 convolution. Activations inside layers that an operator does not apply by
    itself become layers.

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
    made = rewritten(model, _apart(graph_of(model)))
    while found := _folds(graph_of(made)):
        made = rewritten(made, found)
    return made


def _apart(graph: Graph) -> Replacements:
    """Layers that compute several things, as several layers."""
    found: dict[int, list[LayerSpec]] = {}
    for key, nodes in graph.calls().items():
        node = nodes[0]
        if node.kind in _SEPARABLE:
            found[key] = _separated(node)
        elif node.kind in OUTPUT_AXES and not _applied(node):
            found[key] = _activation_apart(changed(node.source))
        elif node.kind in _NEGATIVE:  # no operator for integers
            config = {"name": node.source.name, "scale": -1.0, "offset": 0.0}
            found[key] = [LayerSpec(kind="Rescaling", config=config, weights=())]
        elif node.kind == "Rescaling" and not _floats(node.inputs, graph):
            found[key] = _cast_apart(changed(node.source))
    return found


def _floats(values: Sequence[Value], graph: Graph) -> bool:
    return all("float" in str(graph.nodes[one.node].tensors[one.output].dtype) for one in values)


def _cast_apart(whole: LayerSpec) -> list[LayerSpec]:
    """A Rescaling of integers: as floats, and rescaled."""
    config = {**whole.config, "name": f"{whole.config['name']}_float", "scale": 1.0, "offset": 0.0}
    return [LayerSpec(kind="Rescaling", config=config, weights=()), whole]


def _applied(node: Node) -> bool:
    """Whether a layer's operator applies the activation inside it."""
    own = FUSED[:1] if node.kind in UNFUSING else FUSED
    return _activation(node) in own


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
    """What takes in a normalisation, or stands for it; of several in a row the first."""
    calls = graph.calls()
    found: dict[int, list[LayerSpec]] = {}
    for key, nodes in calls.items():
        node = nodes[0]
        if node.kind not in _AFFINE or not all(_can_go(graph, one) for one in nodes):
            continue
        scale, shift = scale_and_shift(node.source)
        before = graph.nodes[node.inputs[0].node]
        if before.kind in _AFFINE and _can_go(graph, before):
            continue
        if _take_in(graph, nodes, calls.get(id(before.source), [])):
            found[id(before.source)] = [_with_scale(before, scale, shift)]
            found[key] = []
        elif (chain := _as_depthwise(node, scale, shift)) is not None:
            found[key] = chain
    return found


def _can_go(graph: Graph, node: Node) -> bool:
    """Whether a normalisation can become something else."""
    unit = node.kind == "Rescaling" and not np.any(np.asarray(node.config["offset"]))
    if unit and np.ndim(node.config["scale"]) == 0 and abs(node.config["scale"]) == 1:
        return False  # a sign costs one operator in any case
    channels = (node.shapes[0] or (None,))[-1]
    if not node.plain_call or channels is None:
        return False
    return _last(node) and _floats(node.inputs, graph)


def _last(node: Node) -> bool:
    """Whether the last axis, or none, has the constants, or a layer before can take them."""
    if node.kind == "Rescaling":
        return max(np.ndim(node.config[one]) for one in ("scale", "offset")) <= 1
    if node.kind == "Normalization":
        return np.size(node.source.mean) in (1, (node.shapes[0] or (0,))[-1])
    return True


def _axis(node: Node) -> int:
    axis = node.config.get("axis") or -1
    return int(axis[0]) if isinstance(axis, list | tuple) else int(axis)


def _take_in(graph: Graph, norms: Sequence[Node], befores: Sequence[Node]) -> bool:
    """Whether each call of a layer goes through a normalisation and nowhere else."""
    read = {norm.inputs[0].node: norm for norm in norms}
    return read.keys() == {one.name for one in befores} and all(
        _takes_in(graph, one, read[one.name]) for one in befores
    )


def _takes_in(graph: Graph, before: Node, norm: Node) -> bool:
    rank = len(norm.shapes[0] or ())
    channels_first = before.config.get("data_format") == "channels_first"
    return (
        before.kind in OUTPUT_AXES
        and before.path == norm.path
        and before.config.get("activation") in (None, "linear")
        and before.name not in {value.node for value in graph.outputs}
        and len(graph.consumers(before.name)) == 1
        and _axis(norm) in ((1,) if channels_first else (-1, rank - 1))
    )


def scale_and_shift(norm: Any) -> tuple[Array, Array]:
    """What a normalisation multiplies by and adds in inference, each (channels,).

    Args:
        norm: a BatchNormalization, Normalization or Rescaling, built; one number stands for that
            of all channels.
    """
    kind = type(norm).__name__
    if kind == "Rescaling":
        scale, shift = (np.asarray(one, np.float64).ravel() for one in (norm.scale, norm.offset))
        return scale + 0 * shift, shift + 0 * scale
    if kind == "Normalization":
        mean, variance = (np.asarray(one, np.float64).ravel() for one in (norm.mean, norm.variance))
        deviation = np.maximum(np.sqrt(variance), 1e-7)  # Keras's epsilon
        return (deviation, mean) if norm.invert else (1 / deviation, -mean / deviation)
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
    outputs = int(np.prod(shape))
    scale, shift = np.broadcast_to(scale, outputs), np.broadcast_to(shift, outputs)
    bias = rest[0] if rest else 0.0
    weights = (
        (kernel * scale.reshape(shape)).astype(np.float32),
        (bias * scale + shift).astype(np.float32),
    )
    return changed(node.source, weights, use_bias=True)


def _as_depthwise(node: Node, scale: Array, shift: Array) -> list[LayerSpec] | None:
    """A normalisation as a depthwise convolution, between reshapes where there is no image."""
    shape = node.shapes[0] or ()
    rank, name, channels = len(shape), node.config["name"], int(shape[-1] or 0)
    last, reshaped = _axis(node) in (-1, rank - 1), rank not in (3, 4)
    if rank < 2 or not last or (reshaped and None in shape[1:]):
        return None
    config = {
        "name": name, "kernel_size": 1, "trainable": node.source.trainable,
        "data_format": "channels_last",
    }  # fmt: skip
    kernel = np.broadcast_to(scale, channels).reshape(*[1] * (1 if rank == 3 else 2), -1, 1)
    weights = kernel.astype(np.float32), np.broadcast_to(shift, channels).astype(np.float32)
    kind = "DepthwiseConv1D" if rank == 3 else "DepthwiseConv2D"
    if not reshaped:
        return [LayerSpec(kind=kind, config=config, weights=weights)]
    image = (1, math.prod(one or 1 for one in shape[1:-1]), channels)
    return [
        _reshape(f"{name}_image", image),
        LayerSpec(kind=kind, config={**config, "name": f"{name}_scaled"}, weights=weights),
        _reshape(name, tuple(shape[1:])),
    ]


def _reshape(name: str, shape: Sequence[int | None]) -> LayerSpec:
    return LayerSpec(kind="Reshape", config={"name": name, "target_shape": list(shape)}, weights=())


def is_depthwise(kind: str) -> bool:
    """Whether the two last axes of the kernels of a kind of layers together count outputs."""
    return len(OUTPUT_AXES[kind]) == 2


def unfolded(model: Any) -> tuple[str, ...]:
    """The names of normalisations that a folded model still has."""
    layers = flavors.walk_layers(model)
    return tuple(layer.name for layer in layers if type(layer).__name__ == NORMALISATION)
