"""Where a network's tensors get a range: what its file keeps as integers between operators."""

from collections.abc import Iterator

import numpy as np

from tflite_squeeze.network.graph import INPUT, Graph, Node, Value, graph_of
from tflite_squeeze.network.quantization.folding import OUTPUT_AXES, UNFUSING
from tflite_squeeze.network.quantization.plan import ActivationBits, ActivationQuantization

# Their outputs hold values of their inputs, and have their steps.
_MOVED = frozenset({
    "Activation:linear", "Copy", "ExpandDims", "Flatten", "Dropout", "GaussianDropout",
    "GaussianNoise", "Identity", "Moveaxis", "Pad", "Permute", "RepeatVector", "Reshape",
    "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Squeeze", "Swapaxes", "Transpose",
    "UpSampling1D", "UpSampling2D", "UpSampling3D", "ZeroPadding1D", "ZeroPadding2D",
    "ZeroPadding3D", "tf.expand_dims", "tf.identity", "tf.squeeze", "tf.compat.v1.transpose",
    "tf.transpose",
})  # fmt: skip
_CHOSEN = frozenset({
    "Amax", "Cropping1D", "Cropping2D", "Cropping3D", "GetItem", "GlobalMaxPooling1D",
    "GlobalMaxPooling2D", "GlobalMaxPooling3D", "Max", "MaxPool", "MaxPooling1D", "MaxPooling2D",
    "MaxPooling3D", "Split", "tf.math.reduce_max", "tf.nn.max_pool",
})  # fmt: skip
# They compute means of values of their inputs, and round them to the steps of these.
AVERAGES = frozenset({
    "AveragePool", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "tf.nn.avg_pool",
})  # fmt: skip
_MEANS = AVERAGES | {"UpSampling2D:bilinear"}
SAME_STEPS = _MOVED | _CHOSEN | _MEANS
# Their inputs have to have the steps of their output.
JOINED = frozenset({
    "Concatenate", "Maximum", "Minimum", "Stack",
})  # fmt: skip
# Behind them a value has next to the same range, if nothing else reads what they read.
_SHRUNK = frozenset({"MaxPooling1D", "MaxPooling2D", "UpSampling2D:bilinear"})
# Their outputs get a range with the ones inside: the converter refuses one behind a fused LSTM.
_STATEFUL = frozenset({"LSTM", "Bidirectional"})
# The converter refuses integers as what these put out.
_NO_INTEGERS = frozenset({"CategoryEncoding", "OneHot", "tf.one_hot"})
# An operator before them applies them.
_FUSED = frozenset({"Activation:relu", "Activation:relu6", "ReLU", "ReLU:6", "Relu", "Relu6"})
_FUSING = frozenset({*OUTPUT_AXES, "Add", "Subtract", "Multiply"}) - UNFUSING
# These do so in the steps of their input.
_POOLS = frozenset({"AveragePool", "AveragePooling2D", "MaxPool", "MaxPooling2D"})
_UNIT = ActivationQuantization(low=0.0, high=255 / 256)
FIXED = {
    "softmax": _UNIT,
    "sigmoid": _UNIT,
    "tanh": ActivationQuantization(low=-1.0, high=127 / 128),
}

_LARGEST = 32767 / 32768  # of 16 bits, in the steps that kernels fix


def with_bits(point: ActivationQuantization, bits: ActivationBits | None) -> ActivationQuantization:
    """What a plan says of an activation in other bits.

    Args:
        point: of `points_of`, with the range of 8 bits where kernels fix one, or none.
        bits: 8, 16, or None for float.

    Example:
        >>> with_bits(FIXED["tanh"], 16).scale == 1 / 32768
        True
    """
    if point.low is None or bits != 16:
        return point.model_copy(update={"bits": bits})
    return ActivationQuantization(bits=16, low=-_LARGEST if point.low else 0.0, high=_LARGEST)


def points_of(model: object) -> dict[str, ActivationQuantization]:
    """The activations of a folded model that get a range, by the name of what puts them out.

    Args:
        model: a model that `folded` has made, of either version of Keras.

    Returns:
        Outputs of a softmax, sigmoid or tanh have the range that the runtime's kernels fix;
        others none yet. Layers that are called several times have one range.
    """
    graph = graph_of(model)
    borrowed = {*_borrowers(graph), *_inside_hard_swishes(graph)}
    found: dict[str, ActivationQuantization] = {}
    for node in graph.nodes.values():
        if _is_point(graph, node) and node.layer not in borrowed:
            found.setdefault(node.layer, FIXED.get(_called(node), ActivationQuantization()))
    return found


def borrowers_of(model: object) -> dict[str, str]:
    """The activations of a folded model that are rounded by the range of another.

    A concatenation and its operands have one range, which saves operators that rescale, and what
    an average rounds to has the range of its input.

    Args:
        model: a model that `folded` has made, of either version of Keras.

    Returns:
        By the name of what puts an activation out, the name of the other in `points_of`.
    """
    return _borrowers(graph_of(model))


def roundings_of(model: object) -> dict[str, frozenset[str]]:
    """The activations that round what each node of a folded model puts out.

    That may be itself, another whose range it borrows, a ReLU or a concatenation behind it, or
    what a reshape got its values from. Nothing rounds integers, nor the insides of an LSTM.

    Args:
        model: a model that `folded` has made, of either version of Keras.

    Returns:
        Names in `points_of`, by the name of what puts a tensor out.
    """
    graph = graph_of(model)
    points = {**{name: name for name in points_of(model)}, **_borrowers(graph)}
    found: dict[str, frozenset[str]] = {}
    for node in graph.nodes.values():
        there = frozenset(_rounding(graph, node, points))
        found[node.layer] = found.get(node.layer, frozenset()) | there
    return found


def _rounding(graph: Graph, node: Node, points: dict[str, str]) -> Iterator[str]:
    if node.layer in points:
        yield points[node.layer]
    elif kind_of(node) in SAME_STEPS and node.inputs:
        yield from _rounding(graph, graph.nodes[node.inputs[0].node], points)
    elif node.kind not in _STATEFUL and len(node.tensors) == 1 and has_floats(node):
        yield from (points[one.layer] for one in _readers(graph, node) if one.layer in points)


def following(model: object) -> list[tuple[frozenset[str], frozenset[str]]]:
    """What the converter gives steps to by itself, if what it takes has some.

    Those are concatenations and the like, which get the steps of one operand, and functions with a
    fixed range.

    Args:
        model: a model that `folded` has made, of either version of Keras.

    Returns:
        For each, the activations that round it and those that round what it takes.
    """
    graph, roundings = graph_of(model), roundings_of(model)
    found = []
    for node in graph.nodes.values():
        if kind_of(node) in JOINED or _called(node) in (*FIXED, "log_softmax", "logsoftmax"):
            operands = (roundings[graph.nodes[value.node].layer] for value in node.inputs)
            found.append((roundings[node.layer], frozenset[str]().union(*operands)))
    return found


def _borrowers(graph: Graph) -> dict[str, str]:
    parents: dict[str, Node] = {}
    for node in graph.nodes.values():
        if kind_of(node) in JOINED and len(node.tensors) == 1 and has_floats(node):
            for value in node.inputs:
                operand = _operand(graph, graph.nodes[value.node])
                if operand is not None and operand.path == node.path:
                    parents.setdefault(operand.layer, node)
    found = {layer: node.layer for layer, node in _roots(graph, parents).items()}
    for node in graph.nodes.values():
        if not node.inputs or not has_floats(node):
            continue
        before = graph.nodes[node.inputs[0].node]
        rounds = kind_of(node) in _MEANS and not _applies(graph, node)
        if rounds or (kind_of(before) in _POOLS and _applies(graph, before)):
            origin = _origin(graph, before)
            if origin.path == node.path and _is_point(graph, origin):
                found[node.layer] = found.get(origin.layer, origin.layer)
    return found


def _inside_hard_swishes(graph: Graph) -> set[str]:
    """What a file's HARD_SWISH computes inside, of x · relu6(x + 3) / 6 in several operations."""
    found: set[str] = set()
    for clipped in graph.nodes.values():
        if kind_of(clipped) not in ("ReLU:6", "Relu6", "Activation:relu6"):
            continue
        added = graph.nodes[clipped.inputs[0].node]
        if added.kind != "Add" or len(added.inputs) != 1 or not _takes(added, 3.0):
            continue
        x, chain = added.inputs[0], [added, clipped]
        kinds: set[str] = set()
        while len(readers := graph.consumers(chain[-1].name)) == 1 and len(kinds) < 2:
            kinds.add("x" if x in readers[0].inputs else "sixth" if _divides(readers[0]) else "")
            chain.append(readers[0])
        single = all(len(graph.consumers(one.name)) == 1 for one in chain[:-1])
        if kinds == {"x", "sixth"} and single:
            found.update(one.layer for one in chain[:-1])
    return found


def _divides(node: Node) -> bool:
    if node.kind == "Multiply":
        return _takes(node, 1 / 6)
    return node.kind in ("TrueDivide", "tf.math.truediv") and _takes(node, 6.0)


def _takes(node: Node, number: float) -> bool:
    """Whether an operation takes a constant beside a tensor."""
    given = [*node.args, *node.kwargs.values()]
    return any(isinstance(one, float) and abs(one - number) < 1e-6 for one in given)


def _applies(graph: Graph, node: Node) -> bool:
    """Whether an operator applies the ReLU behind it, of which equal ones are merged."""
    kinds = {kind_of(reader) for reader in _readers(graph, node)}
    able = kind_of(node) in _POOLS or (node.kind in _FUSING and _activation(node) == "linear")
    ends = any(value.node == node.name for value in graph.outputs)
    return able and not ends and len(kinds) == 1 and kinds <= _FUSED


def _roots(graph: Graph, parents: dict[str, Node]) -> dict[str, Node]:
    """For each operand that is rounded before it is joined, the last that it is joined into."""
    found = {}
    for node in graph.nodes.values():
        if node.layer in parents and _is_point(graph, node):
            last = parents[node.layer]
            while last.layer in parents:
                last = parents[last.layer]
            found[node.layer] = last
    return found


def _operand(graph: Graph, node: Node) -> Node | None:
    """What rounds an operand of a join, if it may have the join's steps."""
    while kind_of(node) in _MOVED or (kind_of(node) in _SHRUNK and _only_reader(graph, node)):
        node = graph.nodes[node.inputs[0].node]
    open_range = _called(node) not in FIXED and node.kind != INPUT
    return node if open_range and kind_of(node) not in SAME_STEPS and has_floats(node) else None


def _only_reader(graph: Graph, node: Node) -> bool:
    return len(graph.consumers(node.inputs[0].node)) == 1


def _origin(graph: Graph, node: Node) -> Node:
    """What gave a tensor its steps."""
    while kind_of(node) in SAME_STEPS and node.inputs:
        node = graph.nodes[node.inputs[0].node]
    return node


def _is_point(graph: Graph, node: Node) -> bool:
    if (
        node.kind in _STATEFUL | _NO_INTEGERS
        or len(node.tensors) != 1
        or kind_of(node) in SAME_STEPS
        or not has_floats(node)
    ):
        return False
    ends = any(value.node == node.name for value in graph.outputs)
    readers = list(_readers(graph, node))
    if ends or not readers:
        return True
    if len(readers) == 1 and kind_of(readers[0]) in JOINED:
        return _called(node) in FIXED
    return not _applies(graph, node)


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
    if node.kind == "UpSampling2D" and node.config.get("interpolation") == "bilinear":
        return "UpSampling2D:bilinear"
    if node.kind == "Rescaling" and not np.any(np.asarray(node.config["offset"])):
        return "Rescaling:scale"
    if node.kind in ("TrueDivide", "tf.math.truediv") and len(node.inputs) == 1:
        return f"{node.kind}:{'constant' if isinstance(node.args[0], Value) else 'reciprocal'}"
    return node.kind


def _activation(node: Node) -> str:
    given = node.config.get("activation") or "linear"
    return given if isinstance(given, str) else "other"


def _called(node: Node) -> str:
    """The function that a node applies, by the name of an activation."""
    return _activation(node) if node.kind == "Activation" else node.kind.lower()


def has_floats(node: Node) -> bool:
    """Whether a node of a model puts out numbers in float32, and not integers."""
    dtype = getattr(node.tensors[0].dtype, "name", node.tensors[0].dtype)
    return str(dtype) == "float32" and (node.kind == INPUT or node.source is not None)
