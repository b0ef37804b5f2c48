"""Arithmetic of two or more tensors, comparisons, choices and casts."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tflite_squeeze.foreign.layers import WeightOperation
from tflite_squeeze.foreign.onnx.registry import Array, Call, Unsupported, handles
from tflite_squeeze.foreign.onnx.values import CHANNELS_LAST, Axes, Value, lifted, settled, stored

_LAYERS: dict[str, type[Any]] = {
    "Add": keras.layers.Add, "Sub": keras.layers.Subtract, "Mul": keras.layers.Multiply,
    "Max": keras.layers.Maximum, "Min": keras.layers.Minimum, "Sum": keras.layers.Add,
    "Mean": keras.layers.Average,
}  # fmt: skip
_WEIGHTED = {
    "Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide", "Max": "maximum",
    "Min": "minimum", "Pow": "power", "Sum": "add",
}  # fmt: skip
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "Div": keras.ops.divide, "Pow": keras.ops.power, "Mod": keras.ops.mod,
    "Equal": keras.ops.equal, "Greater": keras.ops.greater, "Less": keras.ops.less,
    "GreaterOrEqual": keras.ops.greater_equal, "LessOrEqual": keras.ops.less_equal,
    "And": keras.ops.logical_and, "Or": keras.ops.logical_or, "Xor": keras.ops.logical_xor,
    "Where": keras.ops.where, "Add": keras.ops.add, "Sub": keras.ops.subtract,
    "Mul": keras.ops.multiply, "Max": keras.ops.maximum, "Min": keras.ops.minimum,
}  # fmt: skip
_KEEPS_SIGN = ("Add", "Mul", "Max", "Min", "Sum", "Mean", "Div")


def common_axes(values: list[Value], shape: tuple[int, ...]) -> Axes:
    """The axes of the result of broadcasting, in the order that moves least.

    Args:
        values: lifted to the rank of the result.
        shape: of the result.
    """
    most = max(values, key=lambda value: len(value.axes))
    axes = list(most.axes)
    more = [axis for axis, size in enumerate(shape) if size > 1 and axis not in axes]
    if not more:
        return tuple(axes)
    wanted = {*axes, *more}
    last = [axis for axis in CHANNELS_LAST.get(len(shape), ()) if axis in wanted]
    in_last_order = tuple(axes) == tuple(axis for axis in last if axis in axes)
    if len(axes) > 1 and in_last_order and axes != sorted(axes):
        return tuple(last) if len(last) == len(wanted) else (*axes, *more)
    return tuple(sorted(wanted)) if axes == sorted(axes) else (*axes, *more)


def arranged(array: Array, axes: Axes) -> Array:
    """A constant with these ONNX axes in this order; it has size 1 along all others."""
    rest = [axis for axis in range(array.ndim) if axis not in axes]
    sizes = [array.shape[axis] for axis in axes]
    return array.transpose([*axes, *rest]).reshape(sizes)


@handles(*_LAYERS, *_OPERATIONS)
def arithmetic(call: Call) -> Value:
    """An operation on broadcast operands: a layer, one with a weight, or Keras's operation."""
    rank = len(call.shape)
    operands = [call.given(index) for index in range(len(call.inputs))]
    values = [lifted(one, rank) for one in operands if isinstance(one, Value)]
    arrays = [
        one.reshape((1,) * (rank - one.ndim) + one.shape)
        for one in operands
        if one is not None and not isinstance(one, Value)
    ]
    axes = common_axes(values, call.shape)
    kind = call.node.kind
    if len(operands) == 1:
        return settled(values[0])
    floats = _is_float(values[0].tensor)
    if len(values) == len(operands) and kind in _LAYERS and floats:
        layer = _LAYERS[kind](name=call.free_name())
        tensor = layer([stored(value, axes) for value in values])
    elif len(values) == len(arrays) == 1 and kind in _WEIGHTED and floats:
        first = isinstance(operands[0], Value)
        tensor = _with_constant(call, stored(values[0], axes), arrays[0], axes, value_first=first)
    else:
        tensor = _operation(call, operands, axes, rank)
    signs = [value.nonnegative for value in values] + [bool(np.all(one >= 0)) for one in arrays]
    return Value(
        tensor=tensor, axes=axes, shape=call.shape, nonnegative=kind in _KEEPS_SIGN and all(signs)
    )


def _is_float(tensor: Any) -> bool:
    return "float" in str(tensor.dtype)


def _with_constant(call: Call, tensor: Any, array: Array, axes: Axes, *, value_first: bool) -> Any:
    """An operation of a value with a weight, or with one number."""
    kind = call.node.kind
    if array.size == 1:
        number = float(array.ravel()[0])
        factors = _as_rescaling(kind, number, value_first=value_first)
        if factors is not None:
            return keras.layers.Rescaling(*factors, name=call.free_name())(tensor)
        operation = _OPERATIONS[kind]
        return operation(tensor, number) if value_first else operation(number, tensor)
    weight = arranged(array, axes)
    return call.layer(
        WeightOperation,
        tensor,
        [weight],
        operation=_WEIGHTED[kind],
        shape=weight.shape,
        reverse=not value_first,
    )


def _as_rescaling(kind: str, number: float, *, value_first: bool) -> tuple[float, float] | None:
    """Factor and summand of an operation with one number; None for one that is not linear."""
    match kind:
        case "Add" | "Sum":
            return 1.0, number
        case "Sub":
            return (1.0, -number) if value_first else (-1.0, number)
        case "Mul":
            return number, 0.0
        case "Div" if value_first and number:
            return 1 / number, 0.0
        case _:
            return None


def _operation(call: Call, operands: list[Any], axes: Axes, rank: int) -> Any:
    kind = call.node.kind
    if kind not in _OPERATIONS:
        raise Unsupported("of these types")
    if len(operands) > 2 and kind != "Where":
        raise Unsupported("of more than two tensors of these types")
    given = []
    for operand in operands:
        if isinstance(operand, Value):
            given.append(stored(lifted(operand, rank), axes))
        elif operand.size == 1:
            given.append(operand.ravel()[0].item())
        else:
            full = operand.reshape((1,) * (rank - operand.ndim) + operand.shape)
            value = call.parameter(arranged(full, axes))
            given.append(value.tensor)
    return _OPERATIONS[kind](*given)


_KERAS_TYPES = {1: "float32", 6: "int32", 7: "int32", 9: "bool", 2: "uint8", 3: "int8"}


@handles("Cast")
def cast(call: Call) -> Value:
    """Another type; whole numbers of 64 bits come as 32."""
    value, kind = call.value(), _KERAS_TYPES.get(call.attribute("to"))
    if kind is None:
        raise Unsupported(f"to ONNX's element type {call.attribute('to')}")
    if str(value.tensor.dtype) == kind:
        return value
    return call.same(keras.ops.cast(value.tensor, kind), value, nonnegative=value.nonnegative)


@handles("CastLike")
def cast_like(call: Call) -> Value:
    """The type of another tensor."""
    value, like = call.value(), call.given(1)
    if isinstance(like, Value):
        return call.same(keras.ops.cast(value.tensor, like.tensor.dtype), value)
    if like is not None and like.dtype.kind == "f" and _is_float(value.tensor):
        return value
    raise Unsupported("to a type other than float")
