"""What operations do with channels: those of Keras 3, and of TensorFlow under tf_keras."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.graph import Node, Value, flat, mapped_leaves
from tflite_squeeze.techniques.narrowing import shape_rules
from tflite_squeeze.techniques.narrowing.following import Following, Rule, Stays, count, registering
from tflite_squeeze.techniques.narrowing.layer_rules import MIXED, axes_from_0

Array = NDArray[Any]

RULES: dict[str, Rule] = {}
_rule = registering(RULES)


def _setting(node: Node, name: str, at: int, default: Any = None) -> Any:
    """A setting of an operation: Keras 3's own, or an argument of TensorFlow's call."""
    if hasattr(node.source, name) and not hasattr(node.source, "symbol"):
        return getattr(node.source, name)
    return node.kwargs.get(name, node.args[at] if len(node.args) > at else default)


@_rule(
    "Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum", "Power", "Where",
    "Relu", "Relu6", "Sigmoid", "Silu", "Gelu", "Elu", "Selu", "Celu", "LeakyRelu", "Tanh",
    "HardSigmoid", "HardSilu", "HardTanh", "Softplus", "Softsign", "LogSigmoid", "SoftShrink",
    "TanhShrink", "HardShrink", "Threshold", "Absolute", "Abs", "Negative", "Square", "Sqrt",
    "Rsqrt", "Exp", "Expm1", "Log", "Log1p", "Sin", "Cos", "Erf", "Sign", "Floor", "Ceil", "Round",
    "Clip", "Cast", "Copy", "StopGradient", "Reciprocal", "Greater", "GreaterEqual", "Less",
    "LessEqual", "Equal", "NotEqual", "LogicalAnd", "LogicalOr", "LogicalNot",
    "tf.math.truediv", "tf.math.divide", "tf.math.pow", "tf.where", "tf.nn.silu", "tf.nn.gelu",
    "tf.nn.elu", "tf.nn.selu", "tf.nn.leaky_relu", "tf.math.tanh", "tf.math.softplus",
    "tf.nn.softsign", "tf.math.abs", "tf.math.negative", "tf.math.square", "tf.math.sqrt",
    "tf.math.rsqrt", "tf.math.exp", "tf.math.log", "tf.math.erf", "tf.math.sign", "tf.math.floor",
    "tf.math.ceil", "tf.math.round", "tf.clip_by_value", "tf.cast", "tf.identity",
    "tf.stop_gradient", "tf.math.reciprocal", "tf.math.greater", "tf.math.greater_equal",
    "tf.math.less", "tf.math.less_equal", "tf.math.equal", "tf.math.not_equal",
)  # fmt: skip
def _elementwise(follow: Following, node: Node) -> str:
    """Number by number; constants for each channel are cut with them."""
    reason = shape_rules.broadcast(follow, node)
    out = follow.values.get(Value(node.name))
    if reason or out is None:
        return reason or "mixes or fixes channels"
    constants = [leaf for leaf in flat([node.args, node.kwargs]) if not isinstance(leaf, Value)]
    shapes = [np.asarray(leaf).shape for leaf in constants if hasattr(leaf, "shape")]
    widths = {shape[-1] for shape in shapes if shape}
    if widths - {1, len(out)}:
        return "has a constant of another width"
    if widths - {1}:
        follow.edit(node.source).call = lambda stays: _with_constants(stays(out))
    return ""


def _with_constants(stay: Array) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Cuts the constants of a call that have a number for each channel."""

    def cut(leaf: Any) -> Any:
        if isinstance(leaf, Value) or not hasattr(leaf, "shape"):
            return leaf
        values = np.asarray(leaf)
        return values[..., stay] if values.shape and values.shape[-1] == len(stay) > 1 else leaf

    return lambda args, kwargs: (mapped_leaves(args, cut), mapped_leaves(kwargs, cut))


@_rule("Softmax", "LogSoftmax", "tf.nn.log_softmax")
def _softmax(follow: Following, node: Node) -> str:
    rank = len(follow.shape(node.inputs[0]))
    axis = _setting(node, "axis", 1)
    if rank - 1 in axes_from_0(-1 if axis is None else axis, rank):
        return MIXED
    return shape_rules.broadcast(follow, node)


@_rule(
    "Mean", "Max", "Min", "Amax", "Amin", "Sum", "tf.math.reduce_mean", "tf.math.reduce_max",
    "tf.math.reduce_min", "tf.math.reduce_sum",
)  # fmt: skip
def _reduced(follow: Following, node: Node) -> str:
    """Places put together for each channel; channels can only be summed over."""
    rank, axis = len(follow.shape(node.inputs[0])), _setting(node, "axis", 1)
    if axis is not None and rank - 1 not in axes_from_0(axis, rank):
        follow.values[Value(node.name)] = follow.values[node.inputs[0]]
        return ""
    if not node.kind.lower().endswith("sum"):
        return MIXED
    follow.values[Value(node.name)] = out = follow.new(follow.width(Value(node.name)))
    follow.fix(out, f"operation {node.source.name} ({node.kind}) sums over the channels")
    return ""


@_rule("MaxPool", "AveragePool", "Resize", "tf.image.resize")
def _places(follow: Following, node: Node) -> str:
    """Places put together or made anew, for each channel alone."""
    if getattr(node.source, "data_format", None) == "channels_first":
        return "has its channels first"
    return shape_rules.broadcast(follow, node)


@_rule("ExpandDims", "Squeeze", "tf.expand_dims", "tf.compat.v1.squeeze")
def _places_of_one(follow: Following, node: Node) -> str:
    """An axis of size 1 comes or goes; the last has to stay."""
    rank = max(len(follow.shape(node.inputs[0])), len(follow.shape(Value(node.name))))
    axis = _setting(node, "axis", 1)
    if axis is None or rank - 1 in axes_from_0(axis, rank):
        return shape_rules.MOVED
    follow.values[Value(node.name)] = follow.values[node.inputs[0]]
    return ""


@_rule("Transpose", "tf.compat.v1.transpose")
def _transposed(follow: Following, node: Node) -> str:
    """Places change their order; channels have to stay last."""
    order = _setting(node, "perm" if hasattr(node.source, "symbol") else "axes", 1)
    if not order or order[-1] not in (-1, len(order) - 1):
        return shape_rules.MOVED
    follow.values[Value(node.name)] = follow.values[node.inputs[0]]
    return ""


@_rule("Stack", "tf.stack")
def _stacked(follow: Following, node: Node) -> str:
    rank = len(follow.shape(Value(node.name)))
    if axes_from_0(_setting(node, "axis", 1, 0), rank) == {rank - 1}:
        return shape_rules.MOVED
    return shape_rules.broadcast(follow, node)


@_rule("Concatenate")
def _concatenated(follow: Following, node: Node) -> str:
    return shape_rules.concatenated(follow, node, _setting(node, "axis", 1))


@_rule("DepthToSpace", "SpaceToDepth", "tf.nn.depth_to_space", "tf.nn.space_to_depth")
def _blocks(follow: Following, node: Node) -> str:
    """Channels of one place become places, or places become channels, block by block."""
    if _setting(node, "data_format", 2) not in (None, "channels_last", "NHWC"):
        return "has its channels first"
    return shape_rules.regrouped(follow, node)


@_rule("Pad", "Tile", "tf.compat.v1.pad", "tf.tile")
def _more_places(follow: Following, node: Node) -> str:
    """Places are added or repeated; channels must not be."""
    if follow.width(Value(node.name)) != follow.width(node.inputs[0]):
        return MIXED
    follow.values[Value(node.name)] = follow.values[node.inputs[0]]
    return ""


@_rule("Unstack", "tf.unstack")
def _unstacked(follow: Following, node: Node) -> str:
    """Places apart; channels must stay together."""
    rank = len(follow.shape(node.inputs[0]))
    if axes_from_0(_setting(node, "axis", 2, 0), rank) == {rank - 1}:
        return shape_rules.MOVED
    for index in range(len(node.shapes)):
        follow.values[Value(node.name, index)] = follow.values[node.inputs[0]]
    return ""


@_rule("Reshape")
def _reshaped(follow: Following, node: Node) -> str:
    """As the layer; the new shape stands in the operation, or in TensorFlow's call."""
    argument = "newshape" if hasattr(node.source, "newshape") else "shape"
    shape = _setting(node, argument, 1)
    if not isinstance(shape, list | tuple) or not isinstance(shape[-1], int):
        return "has a shape that is computed"
    if reason := shape_rules.regrouped(follow, node):
        return reason
    out = follow.values[Value(node.name)]
    setting = shape_rules.reshaped(shape, out)
    if setting and not hasattr(node.source, "symbol"):
        follow.sets(node.source, argument, setting)
    elif setting:
        _argument(follow, node, argument, 1, lambda stays, old: (*old[:-1], count(stays, out)))
    return ""


def _argument(
    follow: Following, node: Node, name: str, at: int, new: Callable[[Stays, Any], Any]
) -> None:
    """Says what becomes of one argument of a call."""

    def call(stays: Stays) -> Callable[[Any, Any], tuple[Any, Any]]:
        def swapped(args: Any, kwargs: Any) -> tuple[Any, Any]:
            if name in kwargs:
                return args, {**kwargs, name: new(stays, kwargs[name])}
            return (*args[:at], new(stays, args[at]), *args[at + 1 :]), kwargs

        return swapped

    follow.edit(node.source).call = call


@_rule("Split")
def _split(follow: Following, node: Node) -> str:
    """Parts of the channels, or of the places."""
    given = follow.values[node.inputs[0]]
    rank = len(follow.shape(node.inputs[0]))
    keras = not hasattr(node.source, "symbol")
    sections = _setting(node, "indices_or_sections" if keras else "num_or_size_splits", 1)
    axis = _setting(node, "axis", 2, 0)
    if axes_from_0(axis, rank) != {rank - 1}:
        for index in range(len(node.shapes)):
            follow.values[Value(node.name, index)] = given
        return ""
    if isinstance(sections, int):
        shape_rules.divided(follow, node, None)
    elif not all(isinstance(one, int) and one >= 0 for one in sections):
        return "has parts whose width is not given"
    elif keras:
        parts = shape_rules.divided(follow, node, sections)[:-1]
        follow.sets(
            node.source,
            "indices_or_sections",
            lambda stays: np.cumsum([count(stays, part) for part in parts]).tolist(),
        )
    else:
        parts = shape_rules.divided(follow, node, np.cumsum(sections)[:-1].tolist())
        _argument(
            follow, node, "num_or_size_splits", 1,
            lambda stays, _: [count(stays, part) for part in parts],
        )  # fmt: skip
    return ""


@_rule("GetItem")
def _item(follow: Following, node: Node) -> str:
    """A slice of the channels, or of the places."""
    key = node.args[1] if len(node.args) == 2 else None
    if key is None or node.kwargs:
        return "has a slice that is not known"
    entries = list(key) if isinstance(key, tuple | list) else [key]
    given, rank = follow.values[node.inputs[0]], len(follow.shape(node.inputs[0]))
    at = _last_entry(entries, rank)
    if at is None:
        follow.values[Value(node.name)] = given
        last = entries[-1] if entries else Ellipsis
        return shape_rules.MOVED if last is None else ""
    part = entries[at]
    if isinstance(part, dict):
        part = slice(part["start"], part["stop"], part["step"])
    if not isinstance(part, slice) or at != len(entries) - 1:
        return MIXED
    if not all(one is None or isinstance(one, int) for one in (part.start, part.stop, part.step)):
        return "has a slice that is computed"
    start, stop, step = part.indices(len(given))
    if step != 1:
        return "takes channels in steps"
    follow.values[Value(node.name)] = given[start:stop]
    if (start, stop) != (0, len(given)):
        _argument(follow, node, "", 1, lambda stays, old: _sliced(old, stays(given), start, stop))
    return ""


def _last_entry(entries: list[Any], rank: int) -> int | None:
    """Which entry of a slice is of the last axis; None where none is."""
    places = [index for index, entry in enumerate(entries) if entry is not None]
    dots = [index for index in places if entries[index] is Ellipsis]
    if not places or places[-1] in dots or (not dots and len(places) < rank):
        return None
    return places[-1]


def _sliced(key: Any, stay: Array, start: int, stop: int) -> Any:
    """A slice whose last entry begins and ends where it does once channels are gone."""
    ends = int(np.count_nonzero(stay[:start])), int(np.count_nonzero(stay[:stop]))
    entries = list(key) if isinstance(key, tuple | list) else [key]
    old = entries[-1]
    entries[-1] = (
        {"start": ends[0], "stop": ends[1], "step": None} if isinstance(old, dict) else slice(*ends)
    )
    return tuple(entries) if isinstance(key, tuple | list) else entries[0]
