"""Parts of tensors: slices, splits, look-ups."""

from typing import Any

import keras
import numpy as np

from tflite_squeeze.foreign.onnx.registry import Array, Call, Unsupported, axis_of, handles
from tflite_squeeze.foreign.onnx.values import Axes, Value, reshaped, transposed


def part(value: Value, cuts: dict[int, Any], shape: tuple[int, ...]) -> Value:
    """A slice of some ONNX axes."""
    keys = tuple(cuts.get(axis, slice(None)) for axis in value.axes)
    whole = all(
        key == slice(None) or key == slice(0, value.shape[axis])
        for key, axis in zip(keys, value.axes, strict=True)
    )
    tensor = value.tensor if whole else value.tensor[(slice(None), *keys)]
    return Value(tensor=tensor, axes=value.axes, shape=shape, nonnegative=value.nonnegative)


@handles("Slice")
def slice_(call: Call) -> Value:
    """A range of each of some axes."""
    value, rank = call.value(), len(call.shape)
    starts, ends = call.numbers("starts", 1), call.numbers("ends", 2)
    if starts is None or ends is None:
        raise Unsupported("without its range")
    axes = call.numbers("axes", 3) or list(range(len(starts)))
    steps = call.numbers("steps", 4) or [1] * len(starts)
    cuts = {}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        axis %= rank
        size = value.shape[axis]
        first, last, step = slice(start, end, step).indices(size)
        cuts[axis] = slice(first, None if last < 0 else last, None if step == 1 else step)
    missing = [axis for axis in cuts if axis not in value.axes and call.shape[axis] != 1]
    if missing:
        raise Unsupported("along an axis of size 1 that may be the batch")
    return part(value, cuts, call.shape)


@handles("Split")
def split(call: Call) -> list[Value]:
    """Ranges of one axis, side by side."""
    value = call.value()
    axis = call.attribute("axis", 0) % len(value.shape)
    shapes = [shape or () for shape in call.shapes]
    ends = np.cumsum([shape[axis] for shape in shapes]).tolist()
    return [
        part(value, {axis: slice(end - shape[axis], end)}, shape)
        for end, shape in zip(ends, shapes, strict=True)
    ]


@handles("Gather")
def gather(call: Call) -> Value:
    """One place or several along an axis; or rows of a table, which is an Embedding."""
    table, places = call.given(0), call.given(1)
    if isinstance(places, Value):
        return _embedding(call, places)
    if not isinstance(table, Value) or places is None:
        raise Unsupported("of constants")
    value = call.value()
    axis = call.attribute("axis", 0) % len(value.shape)
    indices = np.asarray(places) % value.shape[axis]
    if indices.ndim == 0:
        return _picked(call, value, axis, int(indices))
    if indices.ndim > 1:
        return _rearranged(value, indices)
    place = axis_of(value, axis)
    if np.array_equal(indices, np.arange(indices[0], indices[0] + len(indices))):
        first = int(indices[0])
        return part(value, {axis: slice(first, first + len(indices))}, call.shape)
    tensor = keras.ops.take(value.tensor, indices.tolist(), axis=place)
    return Value(tensor=tensor, axes=value.axes, shape=call.shape, nonnegative=value.nonnegative)


def _picked(call: Call, value: Value, axis: int, index: int) -> Value:
    """One place, whose axis goes."""
    kept = tuple(each for each in value.axes if each != axis)
    tensor = value.tensor
    if axis in value.axes:
        tensor = tensor[tuple([slice(None)] * axis_of(value, axis) + [index])]
    return Value(
        tensor=tensor,
        axes=tuple(each - (each > axis) for each in kept),
        shape=call.shape,
        nonnegative=value.nonnegative,
    )


def _rearranged(value: Value, places: Array) -> Value:
    """A table of places that has each once, in even steps: axes in another order.

    So exporters write what PyTorch does by changing strides alone.
    """
    if len(value.shape) != 1 or places.size != value.shape[0]:
        raise Unsupported("at a table of places")
    steps = [
        int(np.take(places, 1, axis=axis).flat[0] - places.flat[0]) if size > 1 else 0
        for axis, size in enumerate(places.shape)
    ]
    order = sorted((axis for axis in range(places.ndim) if steps[axis]), key=lambda a: -steps[a])
    flat = np.arange(places.size).reshape([places.shape[axis] for axis in order])
    back = [order.index(axis) for axis in sorted(order)]
    if not np.array_equal(flat.transpose(back).reshape(places.shape), places):
        raise Unsupported("at a table of places")
    apart = reshaped(value, [places.shape[axis] for axis in order])
    return reshaped(transposed(apart, back), places.shape)


def _embedding(call: Call, places: Value) -> Value:
    table = call.array(0)
    if table is None or table.ndim != 2 or call.attribute("axis", 0) != 0:
        raise Unsupported("other than from the rows of a table")
    rank = len(places.shape)
    axes: Axes = (*places.axes, rank)
    tensor = call.layer(
        keras.layers.Embedding,
        places.tensor,
        [table],
        input_dim=table.shape[0],
        output_dim=table.shape[1],
    )
    return Value(tensor=tensor, axes=axes, shape=call.shape)
