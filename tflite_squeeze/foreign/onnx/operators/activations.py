"""Functions of single elements, and Softmax."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from tflite_squeeze.foreign.onnx.operators.arithmetic import arithmetic
from tflite_squeeze.foreign.onnx.registry import Call, Unsupported, handles
from tflite_squeeze.foreign.onnx.values import Value, held

_ACTIVATIONS = {
    "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "Softsign": "softsign",
    "HardSwish": "hard_silu", "Mish": "mish", "Swish": "silu", "Exp": "exponential",
    "Selu": "selu",
}  # fmt: skip
_NONNEGATIVE = ("Sigmoid", "Softplus", "Exp", "Sqrt", "Abs")
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "Sqrt": keras.ops.sqrt, "Abs": keras.ops.abs, "Neg": keras.ops.negative, "Log": keras.ops.log,
    "Erf": keras.ops.erf, "Sin": keras.ops.sin, "Cos": keras.ops.cos, "Floor": keras.ops.floor,
    "Ceil": keras.ops.ceil, "Round": keras.ops.round, "Sign": keras.ops.sign,
    "Reciprocal": keras.ops.reciprocal, "Not": keras.ops.logical_not, "Tan": keras.ops.tan,
    "IsNaN": keras.ops.isnan,
}  # fmt: skip


@handles(*_ACTIVATIONS)
def activation(call: Call) -> Value:
    """A function that Keras knows as an activation."""
    value, kind = call.value(), call.node.kind
    if kind == "Selu" and "alpha" in call.node.attributes:
        raise Unsupported("with an alpha of its own")
    layer = keras.layers.Activation(_ACTIVATIONS[kind], name=call.free_name())
    return call.same(layer(value.tensor), value, nonnegative=kind in _NONNEGATIVE)


@handles("Gelu")
def gelu(call: Call) -> Value:
    """The Gaussian error linear unit, exact or by tanh."""
    value = call.value()
    if call.attribute("approximate", "none") == "tanh":
        return call.same(keras.ops.gelu(value.tensor, approximate=True), value)
    layer = keras.layers.Activation("gelu", name=call.free_name())
    return call.same(layer(value.tensor), value)


@handles(*_FUNCTIONS)
def function(call: Call) -> Value:
    """A function that Keras knows as an operation."""
    value, kind = call.value(), call.node.kind
    return call.same(_FUNCTIONS[kind](value.tensor), value, nonnegative=kind in _NONNEGATIVE)


@handles("Relu")
def relu(call: Call) -> Value:
    """The rectified linear unit."""
    value = call.value()
    layer = keras.layers.ReLU(name=call.free_name())
    return call.same(layer(value.tensor), value, nonnegative=True)


@handles("LeakyRelu")
def leaky_relu(call: Call) -> Value:
    """A ReLU with a slope below 0."""
    value = call.value()
    slope = call.attribute("alpha", 0.01)
    layer = keras.layers.LeakyReLU(negative_slope=slope, name=call.free_name())
    return call.same(layer(value.tensor), value)


@handles("Elu")
def elu(call: Call) -> Value:
    """The exponential linear unit."""
    value = call.value()
    layer = keras.layers.ELU(alpha=call.attribute("alpha", 1.0), name=call.free_name())
    return call.same(layer(value.tensor), value)


@handles("HardSigmoid")
def hard_sigmoid(call: Call) -> Value:
    """A sigmoid of three straight lines, whose slope is 1/6 in Keras."""
    value = call.value()
    slope, middle = call.attribute("alpha", 0.2), call.attribute("beta", 0.5)
    if abs(slope - 1 / 6) < 1e-6 and middle == 0.5:
        layer = keras.layers.Activation("hard_sigmoid", name=call.free_name())
        return call.same(layer(value.tensor), value, nonnegative=True)
    line = keras.layers.Rescaling(slope, middle, name=call.free_name())(value.tensor)
    return call.same(keras.ops.clip(line, 0.0, 1.0), value, nonnegative=True)


@handles("Clip")
def clip(call: Call) -> Value:
    """A ReLU with a largest value where the smallest is 0."""
    value = call.value()
    if any(isinstance(call.given(index), Value) for index in (1, 2)):
        return _clip_between(call)
    low, high = (_bound(call, name, index) for name, index in (("min", 1), ("max", 2)))
    if low == 0:
        layer = keras.layers.ReLU(max_value=high, name=call.free_name())
        return call.same(layer(value.tensor), value, nonnegative=True)
    if low is None and high is None:
        return value
    if low is None and high is not None:
        return call.same(keras.ops.minimum(value.tensor, high), value)
    if high is None:
        return call.same(keras.ops.maximum(value.tensor, low), value, nonnegative=low >= 0)
    return call.same(keras.ops.clip(value.tensor, low, high), value, nonnegative=low >= 0)


def _clip_between(call: Call) -> Value:
    """Bounds that depend on the input."""
    made = call.value()
    for kind, index in (("Max", 1), ("Min", 2)):
        if call.given(index) is not None:
            node = replace(call.node, kind=kind)
            made = arithmetic(replace(call, node=node, inputs=(made, call.given(index))))
    return made


def _bound(call: Call, name: str, index: int) -> Any:
    found = call.node.attributes.get(name)
    if found is None:
        array = call.array(index)
        found = None if array is None or not array.size else float(np.ravel(array)[0])
    # Exporters write the largest number where they mean none.
    return None if found is None or abs(found) > 1e38 else found


@handles("PRelu")
def prelu(call: Call) -> Value:
    """A ReLU with a trained slope below 0: one for all, or one for each channel."""
    value, slope = call.value(), call.array(1)
    if slope is None:
        raise Unsupported("without slopes")
    rank = len(value.shape)
    full = slope.reshape((1,) * (rank - slope.ndim) + slope.shape)
    if not value.axes:
        raise Unsupported("on single numbers")
    own = full.transpose([*value.axes, *(a for a in range(rank) if a not in value.axes)])
    own = own.reshape([full.shape[axis] for axis in value.axes])
    shared = [index + 1 for index, size in enumerate(own.shape) if size == 1]
    tensor = call.layer(keras.layers.PReLU, value.tensor, [own], shared_axes=shared or None)
    return call.same(tensor, value)


@handles("Softmax", "LogSoftmax")
def softmax(call: Call) -> Value:
    """Softmax along one axis; before opset 13, along all from one on."""
    value = call.value()
    rank = len(value.shape)
    old = call.opset < 13
    axis = call.attribute("axis", 1 if old else -1) % rank
    if old and any(size > 1 for size in value.shape[axis + 1 :]):
        raise Unsupported("over several axes, as before opset 13")
    if axis not in value.axes:
        value = held(value, (*value.axes, axis))
    place = value.axes.index(axis) + 1
    along = -1 if place == len(value.axes) else place
    if call.node.kind == "LogSoftmax":
        return call.same(keras.ops.log_softmax(value.tensor, axis=along), value)
    layer = keras.layers.Softmax(axis=along, name=call.free_name())
    return call.same(layer(value.tensor), value, nonnegative=True)
