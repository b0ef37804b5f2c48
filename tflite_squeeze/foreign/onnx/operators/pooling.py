"""Pools over windows and over whole images."""

from typing import Any

import keras
import numpy as np

from tflite_squeeze.foreign.layers import WeightOperation
from tflite_squeeze.foreign.onnx.operators.convolutions import channels_last
from tflite_squeeze.foreign.onnx.operators.windows import Window, padded, reaching, window_of
from tflite_squeeze.foreign.onnx.registry import Array, Call, Unsupported, handles
from tflite_squeeze.foreign.onnx.values import CHANNELS_LAST, Value

_LAYERS = keras.layers
_MAX = {1: _LAYERS.MaxPooling1D, 2: _LAYERS.MaxPooling2D, 3: _LAYERS.MaxPooling3D}
_AVERAGE = {1: _LAYERS.AveragePooling1D, 2: _LAYERS.AveragePooling2D, 3: _LAYERS.AveragePooling3D}
_GLOBAL = {
    ("max", 1): _LAYERS.GlobalMaxPooling1D, ("max", 2): _LAYERS.GlobalMaxPooling2D,
    ("max", 3): _LAYERS.GlobalMaxPooling3D, ("mean", 1): _LAYERS.GlobalAveragePooling1D,
    ("mean", 2): _LAYERS.GlobalAveragePooling2D, ("mean", 3): _LAYERS.GlobalAveragePooling3D,
}  # fmt: skip


def _window(call: Call) -> Window:
    value = call.value()
    if any(call.used[1:]):
        raise Unsupported("whose places are used too")
    window = window_of(call, value.shape[2:], call.attribute("kernel_shape"))
    if max(window.dilations) > 1:
        raise Unsupported("with dilations")
    return reaching(window, call.shape[2:])


def _pooled(call: Call, tensor: Any, window: Window, kinds: Any, padding: str) -> Value:
    value, dims = call.value(), len(window.kernel)
    single = dims == 1
    layer = kinds[dims](
        pool_size=window.kernel[0] if single else window.kernel,
        strides=window.strides[0] if single else window.strides,
        padding=padding,
        name=call.free_name(),
    )
    return Value(
        tensor=layer(tensor),
        axes=CHANNELS_LAST[dims + 2],
        shape=call.shape,
        nonnegative=value.nonnegative,
    )


@handles("MaxPool")
def max_pool(call: Call) -> Value:
    """The largest in each window.

    What is around the image must not win. Zeros do not where nothing is negative; else the image
    is mirrored at its border, which repeats what is in the same window.
    """
    value, window = call.value(), _window(call)
    mode = "zeros" if value.nonnegative else "symmetric"
    tensor, padding = padded(channels_last(value), window, mode=mode)
    return _pooled(call, tensor, window, _MAX, padding)


@handles("AveragePool")
def average_pool(call: Call) -> Value:
    """The mean of each window, with or without what is around the image."""
    value, window = call.value(), _window(call)
    stated = window_of(call, value.shape[2:], window.kernel)
    counted = stated if call.attribute("count_include_pad", 0) else None
    tensor, correction = channels_last(value), _correction(window, counted)
    if counted is None and window.is_same:
        return _pooled(call, tensor, window, _AVERAGE, "same")
    pairs = [(0, 0), *zip(window.low, window.high, strict=True), (0, 0)]
    if any(window.low + window.high):
        tensor = keras.ops.pad(tensor, pairs)
    made = _pooled(call, tensor, window, _AVERAGE, "valid")
    if correction is None:
        return made
    factors = correction[..., np.newaxis]
    layer = WeightOperation("multiply", factors.shape, trainable=False, name=call.free_name())
    tensor = layer(made.tensor)
    layer.set_weights([factors])
    return Value(tensor=tensor, axes=made.axes, shape=made.shape, nonnegative=made.nonnegative)


def _correction(window: Window, counted: Window | None) -> Array | None:
    """How much larger each mean is if only some of a window's elements are counted.

    Args:
        window: the whole of what is averaged.
        counted: with the part around the image that counts; None if nothing around it does.

    Returns:
        Factors of shape `outputs`; None if they are all 1.
    """
    factors: Array = np.ones((), np.float32)
    for axis, width in enumerate(window.kernel):
        low = 0 if counted is None else counted.low[axis]
        high = 0 if counted is None else counted.high[axis]
        starts = np.arange(window.outputs[axis]) * window.strides[axis] - window.low[axis]
        first = np.maximum(starts, -low)
        last = np.minimum(starts + width, window.sizes[axis] + high)
        factors = np.multiply.outer(factors, width / (last - first))
    return None if np.all(factors == 1) else factors.astype(np.float32)


@handles("GlobalAveragePool", "GlobalMaxPool")
def global_pool(call: Call) -> Value:
    """The mean or the largest of each channel."""
    value = call.value()
    what = "max" if call.node.kind == "GlobalMaxPool" else "mean"
    return pooled_globally(call, value, what)


def pooled_globally(call: Call, value: Value, what: str) -> Value:
    """The mean or the largest over all axes but batch and channels, without those axes."""
    dims = len(value.shape) - 2
    if (what, dims) not in _GLOBAL:
        raise Unsupported(f"on a tensor of {len(value.shape)} axes")
    layer = _GLOBAL[what, dims](name=call.free_name())
    axis = 1  # with or without the axes of size 1 behind it
    return Value(
        tensor=layer(channels_last(value)),
        axes=(axis,),
        shape=call.shape,
        nonnegative=value.nonnegative,
    )
