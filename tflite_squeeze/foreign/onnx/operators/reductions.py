"""Sums, means and extremes along axes."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tflite_squeeze.foreign.onnx.operators.pooling import pooled_globally
from tflite_squeeze.foreign.onnx.registry import Call, Unsupported, axis_of, handles
from tflite_squeeze.foreign.onnx.values import Axes, Value


def _length(tensor: Any, **over: Any) -> Any:
    return keras.ops.sqrt(keras.ops.sum(keras.ops.square(tensor), **over))


def _absolute(tensor: Any, **over: Any) -> Any:
    return keras.ops.sum(keras.ops.abs(tensor), **over)


def _squares(tensor: Any, **over: Any) -> Any:
    return keras.ops.sum(keras.ops.square(tensor), **over)


_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceMean": keras.ops.mean, "ReduceSum": keras.ops.sum, "ReduceMax": keras.ops.max,
    "ReduceMin": keras.ops.min, "ReduceProd": keras.ops.prod, "ReduceL2": _length,
    "ReduceL1": _absolute, "ReduceSumSquare": _squares, "ReduceLogSumExp": keras.ops.logsumexp,
}  # fmt: skip
_NONNEGATIVE = ("ReduceL1", "ReduceL2", "ReduceSumSquare")
_KEEPS_SIGN = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd")
_GLOBAL = {"ReduceMean": "mean", "ReduceMax": "max"}


@handles(*_REDUCTIONS)
def reduction(call: Call) -> Value:
    """A reduction; over all of an image, a global pool."""
    value, kind = call.value(), call.node.kind
    rank = len(value.shape)
    axes = call.numbers("axes", 1)
    if axes is None or not axes:
        if call.attribute("noop_with_empty_axes", 0):
            return value
        axes = list(range(rank))
    over = sorted({axis % rank for axis in axes})
    if kind in _GLOBAL and rank >= 3 and value.axes == tuple(
        axis for axis in (*range(2, rank), 1) if axis in value.axes
    ) and over == list(range(2, rank)) and len(value.axes) == rank - 1:  # fmt: skip
        return pooled_globally(call, value, _GLOBAL[kind])
    kept = tuple(axis for axis in value.axes if axis not in over)
    places = [axis_of(value, axis) for axis in over if axis in value.axes]
    tensor = _REDUCTIONS[kind](value.tensor, axis=places) if places else value.tensor
    sign = kind in _NONNEGATIVE or (kind in _KEEPS_SIGN and value.nonnegative)
    return Value(
        tensor=tensor,
        axes=_after(kept, over, keep=bool(call.attribute("keepdims", 1))),
        shape=call.shape,
        nonnegative=sign,
    )


def _after(kept: Axes, over: list[int], *, keep: bool) -> Axes:
    """What the axes are called once others have gone."""
    return kept if keep else tuple(axis - sum(one < axis for one in over) for axis in kept)


@handles("ArgMax", "ArgMin")
def arg_extreme(call: Call) -> Value:
    """The place of the largest or the smallest."""
    value, kind = call.value(), call.node.kind
    if call.attribute("select_last_index", 0):
        raise Unsupported("that takes the last place")
    axis = call.attribute("axis", 0) % len(value.shape)
    operation = keras.ops.argmax if kind == "ArgMax" else keras.ops.argmin
    tensor = operation(value.tensor, axis=axis_of(value, axis))
    kept = tuple(each for each in value.axes if each != axis)
    keep = bool(call.attribute("keepdims", 1))
    return Value(tensor=tensor, axes=_after(kept, [axis], keep=keep), shape=call.shape)


@handles("CumSum")
def cumulative_sum(call: Call) -> Value:
    """Sums from the beginning on."""
    value, axis = call.value(), call.array(1)
    if axis is None or call.attribute("exclusive", 0) or call.attribute("reverse", 0):
        raise Unsupported("other than forward and with the element itself")
    place = axis_of(value, int(np.ravel(axis)[0]))
    return call.same(keras.ops.cumsum(value.tensor, axis=place), value)
