"""Where a network's tensors get a range: what its file keeps as integers between operators."""

from collections.abc import Iterator

from tflite_squeeze.network.graph import INPUT, Graph, Node, graph_of
from tflite_squeeze.network.quantization.folding import OUTPUT_AXES
from tflite_squeeze.network.quantization.plan import ActivationQuantization

# Their outputs have the steps of their inputs.
SAME_STEPS = frozenset({
    "Activation:linear", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "Copy",
    "Cropping1D", "Cropping2D", "Cropping3D", "Dropout", "ExpandDims", "Flatten", "GaussianDropout",
    "GaussianNoise", "GetItem", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D",
    "Identity", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "Moveaxis", "Pad", "Permute",
    "RepeatVector", "Reshape", "Split", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
    "Squeeze", "Swapaxes", "Transpose", "UpSampling1D", "UpSampling2D", "UpSampling3D",
    "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "tf.expand_dims", "tf.identity",
    "tf.nn.avg_pool", "tf.nn.max_pool", "tf.squeeze", "tf.compat.v1.transpose", "tf.transpose",
})  # fmt: skip
# Their inputs have to have the steps of their output.
_JOINED = frozenset({"Concatenate", "Stack"})
# An operator before them applies them.
_FUSED = frozenset({"Activation:relu", "Activation:relu6", "ReLU", "ReLU:6", "Relu", "Relu6"})
_FUSING = frozenset({
    *OUTPUT_AXES, "Add", "Subtract", "Multiply",
}) - {"Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "Conv3D"}  # fmt: skip
_UNIT = ActivationQuantization(low=0.0, high=255 / 256)
FIXED = {
    "softmax": _UNIT,
    "sigmoid": _UNIT,
    "tanh": ActivationQuantization(low=-1.0, high=127 / 128),
}


def points_of(model: object) -> dict[str, ActivationQuantization]:
    """The activations of a folded model that get a range, by the name of what puts them out.

    Args:
        model: a model that `folded` has made, of either version of Keras.

    Returns:
        Outputs of a softmax, sigmoid or tanh have the range that the runtime's kernels fix;
        others none yet. Layers that are called several times have one range.
    """
    graph = graph_of(model)
    found: dict[str, ActivationQuantization] = {}
    for node in graph.nodes.values():
        if _is_point(graph, node):
            found.setdefault(node.layer, FIXED.get(_called(node), ActivationQuantization()))
    return found


def _is_point(graph: Graph, node: Node) -> bool:
    if len(node.tensors) != 1 or kind_of(node) in SAME_STEPS or not _floats(node):
        return False
    ends = any(value.node == node.name for value in graph.outputs)
    readers = list(_readers(graph, node))
    if ends or not readers:
        return True
    if all(kind_of(reader) in _JOINED for reader in readers):
        return False
    fused = node.kind in _FUSING and _activation(node) == "linear"
    return not (fused and len(readers) == 1 and kind_of(readers[0]) in _FUSED)


def _readers(graph: Graph, node: Node) -> Iterator[Node]:
    """What reads a tensor, also behind layers that do nothing in inference."""
    for reader in graph.consumers(node.name):
        if kind_of(reader) in ("Activation:linear", "Dropout", "Identity"):
            yield from _readers(graph, reader)
        else:
            yield reader


def kind_of(node: Node) -> str:
    """The kind of a node, with what decides about an Activation or a ReLU behind it."""
    if node.kind == "Activation":
        return f"Activation:{_activation(node)}"
    if node.kind == "ReLU":
        config = node.config
        if config.get("negative_slope") or config.get("threshold"):
            return "ReLU:other"
        largest = config.get("max_value")
        return "ReLU" if largest is None else f"ReLU:{largest:g}"
    return node.kind


def _activation(node: Node) -> str:
    given = node.config.get("activation") or "linear"
    return given if isinstance(given, str) else "other"


def _called(node: Node) -> str:
    """The function that a node applies, by the name of an activation."""
    return _activation(node) if node.kind == "Activation" else node.kind.lower()


def _floats(node: Node) -> bool:
    dtype = getattr(node.tensors[0].dtype, "name", node.tensors[0].dtype)
    return str(dtype) == "float32" and (node.kind == INPUT or node.source is not None)
