"""What moves elements and leaves their values: shapes, joins, borders, repeats."""

import keras
import numpy as np

from tflite_squeeze.foreign.onnx.operators.arithmetic import common_axes
from tflite_squeeze.foreign.onnx.registry import Array, Call, Unsupported, axis_of, handles
from tflite_squeeze.foreign.onnx.values import (
    CHANNELS_LAST,
    Value,
    held,
    lifted,
    reshaped,
    settled,
    stored,
    transposed,
)


@handles("Identity", "Dropout")
def identity(call: Call) -> Value:
    """Nothing; Dropout does nothing outside training."""
    given = call.given(0)
    if not isinstance(given, Value):
        raise Unsupported("of a constant")
    return given


@handles("Flatten", "Reshape", "Squeeze", "Unsqueeze")
def shape_change(call: Call) -> Value:
    """The same elements in another shape."""
    given = call.given(0)
    if not isinstance(given, Value):
        raise Unsupported("of a constant")
    return reshaped(given, call.shape)


@handles("Transpose")
def transpose(call: Call) -> Value:
    """Axes in another order: they are only named anew."""
    value = call.value()
    return transposed(value, call.attribute("perm", list(range(len(value.shape)))[::-1]))


@handles("Concat")
def concatenate(call: Call) -> Value:
    """Tensors joined along an axis."""
    rank = len(call.shape)
    axis = call.attribute("axis") % rank
    values = [call.either(index) for index in range(len(call.inputs))]
    depending = [one for one in call.inputs if isinstance(one, Value)]
    whole = tuple(max(value.shape[each] for value in values) for each in range(rank))
    axes = common_axes([settled(one) for one in depending], whole)
    if axis not in axes:
        last = CHANNELS_LAST.get(rank, ())
        ordered = tuple(each for each in last if each in axes or each == axis)
        usual = axis in last and axes == tuple(each for each in ordered if each != axis)
        axes = ordered if usual else (*axes, axis)
    place = axes.index(axis) + 1
    layer = keras.layers.Concatenate(
        axis=-1 if place == len(axes) else place, name=call.free_name()
    )
    return Value(
        tensor=layer([stored(value, axes) for value in values]),
        axes=axes,
        shape=call.shape,
        nonnegative=all(value.nonnegative for value in values),
    )


@handles("Expand")
def expand(call: Call) -> Value:
    """Axes of size 1 repeated; where a later operation broadcasts, nothing is to do."""
    value = lifted(call.value(), len(call.shape))
    if value.shape == call.shape:
        return Value(tensor=value.tensor, axes=value.axes, shape=call.shape)
    axes = common_axes([value], call.shape)
    full = held(value, axes)
    sizes = [call.shape[axis] for axis in axes]
    repeats = [1, *(new // value.shape[axis] for new, axis in zip(sizes, axes, strict=True))]
    tensor = keras.ops.tile(full.tensor, repeats)
    return Value(tensor=tensor, axes=axes, shape=call.shape, nonnegative=value.nonnegative)


@handles("Tile")
def tile(call: Call) -> Value:
    """A tensor repeated along its axes."""
    value = call.value()
    axes = common_axes([value], call.shape)
    full = held(value, axes)
    repeats = [1, *(call.shape[axis] // value.shape[axis] for axis in axes)]
    tensor = keras.ops.tile(full.tensor, repeats)
    return Value(tensor=tensor, axes=axes, shape=call.shape, nonnegative=value.nonnegative)


@handles("Pad")
def pad(call: Call) -> Value:
    """Elements around a tensor: zeros, another number, or a mirror image; or fewer elements."""
    value, rank = call.value(), len(call.shape)
    amounts = call.numbers("pads", 1) or []
    chosen = call.array(3)
    axes = list(range(rank)) if chosen is None else [int(each) % rank for each in chosen]
    pairs = dict(zip(axes, zip(amounts[: len(axes)], amounts[len(axes) :], strict=True),
                     strict=True))  # fmt: skip
    pairs = {axis: pair for axis, pair in pairs.items() if any(pair)}
    if not pairs:
        return value
    axes_held = common_axes([value], call.shape)
    value = held(value, axes_held)
    wide = [pairs.get(axis, (0, 0)) for axis in value.axes]
    tensor, mode = value.tensor, call.attribute("mode", "constant")
    if any(amount < 0 for pair in wide for amount in pair):
        keys = [slice(max(-low, 0), -max(-high, 0) or None) for low, high in wide]
        tensor = tensor[(slice(None), *keys)]
        wide = [(max(low, 0), max(high, 0)) for low, high in wide]
    number = _padding_value(call)
    if mode == "constant":
        tensor = _with_number(call, tensor, wide, number)
    elif mode == "reflect":
        tensor = keras.ops.pad(tensor, [(0, 0), *wide], mode="reflect")
    elif mode == "edge" and max(amount for pair in wide for amount in pair) == 1:
        tensor = keras.ops.pad(tensor, [(0, 0), *wide], mode="symmetric")
    else:
        raise Unsupported(f"with mode {mode!r}")
    keeps = value.nonnegative and number >= 0
    return Value(tensor=tensor, axes=value.axes, shape=call.shape, nonnegative=keeps)


def _padding_value(call: Call) -> float:
    found: Array | float | None = call.node.attributes.get("value")
    if found is None:
        found = call.array(2)
    return 0.0 if found is None or not np.size(found) else float(np.ravel(found)[0])


def _with_number(call: Call, tensor: object, wide: list[tuple[int, int]], number: float) -> object:
    """Zero padding as a layer where there is one."""
    if number == 0 and len(wide) == 3 and wide[-1] == (0, 0):
        return keras.layers.ZeroPadding2D(wide[:2], name=call.free_name())(tensor)
    if number == 0 and len(wide) == 2 and wide[-1] == (0, 0):
        return keras.layers.ZeroPadding1D(wide[0], name=call.free_name())(tensor)
    return keras.ops.pad(tensor, [(0, 0), *wide], constant_values=number)


@handles("DepthToSpace")
def depth_to_space(call: Call) -> Value:
    """Channels moved into the image."""
    value, block = call.value(), call.attribute("blocksize")
    batch, channels, height, width = value.shape
    narrow = channels // block**2
    if call.attribute("mode", "DCR") == "DCR":
        apart = reshaped(value, (batch, block, block, narrow, height, width))
        moved = transposed(apart, (0, 3, 4, 1, 5, 2))
    else:
        apart = reshaped(value, (batch, narrow, block, block, height, width))
        moved = transposed(apart, (0, 1, 4, 2, 5, 3))
    return _channels_last_again(reshaped(moved, call.shape))


@handles("SpaceToDepth")
def space_to_depth(call: Call) -> Value:
    """Blocks of the image moved into channels."""
    value, block = call.value(), call.attribute("blocksize")
    batch, channels, height, width = value.shape
    apart = reshaped(value, (batch, channels, height // block, block, width // block, block))
    moved = transposed(apart, (0, 3, 5, 1, 2, 4))
    return _channels_last_again(reshaped(moved, call.shape))


def _channels_last_again(value: Value) -> Value:
    return held(value, CHANNELS_LAST[4])


@handles("ReverseSequence")
def reverse_sequence(call: Call) -> Value:
    """Refused unless all of each sequence is turned round."""
    value, lengths = call.value(), call.array(1)
    axis = call.attribute("time_axis", 0)
    if lengths is None or any(int(each) != value.shape[axis] for each in lengths):
        raise Unsupported("of parts of a sequence")
    return call.same(keras.ops.flip(value.tensor, axis=axis_of(value, axis)), value)
