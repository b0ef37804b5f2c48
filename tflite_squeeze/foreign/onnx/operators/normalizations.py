"""Normalizations: over the batch, over channels, over groups of them."""

from typing import Any

import keras
import numpy as np

from tflite_squeeze.foreign.onnx.operators.convolutions import channels_last
from tflite_squeeze.foreign.onnx.registry import Array, Call, Unsupported, axis_of, handles
from tflite_squeeze.foreign.onnx.values import CHANNELS_LAST, Value, held, stored


@handles("BatchNormalization")
def batch_normalization(call: Call) -> Value:
    """A BatchNormalization with its moving statistics."""
    value = call.value()
    if call.attribute("training_mode", 0) or any(call.used[1:]):
        raise Unsupported("in training mode (call model.eval() before the export)")
    weights = [call.array(index) for index in range(1, 5)]
    arrays = [each for each in weights if each is not None]
    if len(arrays) < 4:
        raise Unsupported("without its statistics")
    # Exporters of attention put positions into the first axis, beside the batch.
    first = (0,) if value.shape[0] > 1 else ()
    axes = (*first, *CHANNELS_LAST.get(len(value.shape), ()))
    tensor = call.layer(
        keras.layers.BatchNormalization,
        stored(value, axes),
        arrays,
        epsilon=call.attribute("epsilon", 1e-5),
        momentum=call.attribute("momentum", 0.9),
    )
    return Value(tensor=tensor, axes=axes, shape=call.shape)


@handles("LayerNormalization")
def layer_normalization(call: Call) -> Value:
    """A LayerNormalization over the last axes."""
    value, rank = call.value(), len(call.shape)
    if any(call.used[1:]):
        raise Unsupported("whose mean is used too")
    first = call.attribute("axis", -1) % rank
    over = list(range(first, rank))
    missing = [axis for axis in over if axis not in value.axes]
    value = held(value, (*value.axes, *missing)) if missing else value
    places = sorted(axis_of(value, axis) for axis in over)
    if places != list(range(places[0], places[0] + len(places))) or places[-1] != len(value.axes):
        value = held(value, (*(axis for axis in value.axes if axis not in over), *over))
        places = [axis_of(value, axis) for axis in over]
    scale, bias = call.array(1), call.array(2)
    if scale is None:
        scale = np.ones(value.shape[first:], np.float32)
    stored_order = [value.axes[place - 1] - first for place in places]
    weights = [_over(each, value.shape[first:]).transpose(stored_order)
               for each in (scale, bias) if each is not None]  # fmt: skip
    tensor = call.layer(
        keras.layers.LayerNormalization,
        value.tensor,
        weights,
        axis=-1 if len(places) == 1 else places,
        epsilon=call.attribute("epsilon", 1e-5),
        center=bias is not None,
    )
    return Value(tensor=tensor, axes=value.axes, shape=call.shape)


def _over(array: Array, shape: tuple[int, ...]) -> Array:
    """Weights for each normalized element; some files have one for all."""
    return np.broadcast_to(array.reshape(array.shape[-len(shape) :]), shape)


@handles("RMSNormalization", "SimplifiedLayerNormalization")
def rms_normalization(call: Call) -> Value:
    """A division by the root of the mean of squares, over the last axis."""
    value, rank = call.value(), len(call.shape)
    if call.attribute("axis", -1) % rank != rank - 1:
        raise Unsupported("over several axes")
    value = held(value, (*(axis for axis in value.axes if axis != rank - 1), rank - 1))
    scale = call.array(1)
    tensor = call.layer(
        keras.layers.RMSNormalization,
        value.tensor,
        [np.ones(value.shape[-1:], np.float32) if scale is None else scale.ravel()],
        epsilon=call.attribute("epsilon", 1e-5),
    )
    return Value(tensor=tensor, axes=value.axes, shape=call.shape)


@handles("InstanceNormalization")
def instance_normalization(call: Call) -> Value:
    """A group normalization whose groups are single channels."""
    return _by_groups(call, call.value().shape[1])


@handles("GroupNormalization")
def group_normalization(call: Call) -> Value:
    """A normalization of each group of channels, with a weight for each channel."""
    return _by_groups(call, call.attribute("num_groups"))


def _by_groups(call: Call, groups: int) -> Value:
    value = call.value()
    scale, bias = call.array(1), call.array(2)
    if scale is None or bias is None:
        raise Unsupported("without weights")
    channels = value.shape[1]
    if scale.size == groups < channels:  # opset 18 has them by group
        scale, bias = (np.repeat(each, channels // groups) for each in (scale, bias))
    tensor = call.layer(
        keras.layers.GroupNormalization,
        channels_last(value),
        [scale.ravel(), bias.ravel()],
        groups=groups,
        epsilon=call.attribute("epsilon", 1e-5),
    )
    return Value(tensor=tensor, axes=CHANNELS_LAST[len(value.shape)], shape=call.shape)


@handles("LpNormalization")
def lp_normalization(call: Call) -> Value:
    """A division by the length of a vector."""
    value = call.value()
    axis = axis_of(value, call.attribute("axis", -1))
    order = call.attribute("p", 2)
    return call.same(_normalized(value.tensor, axis, order), value, nonnegative=value.nonnegative)


def _normalized(tensor: Any, axis: int, order: int) -> Any:
    if order == 2:
        squares = keras.ops.sum(keras.ops.square(tensor), axis=axis, keepdims=True)
        return keras.ops.divide(tensor, keras.ops.sqrt(squares))
    return keras.ops.divide(tensor, keras.ops.sum(keras.ops.abs(tensor), axis=axis, keepdims=True))
