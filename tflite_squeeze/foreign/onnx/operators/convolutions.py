"""Convolutions: plain, depthwise, grouped and transposed, in one to three dimensions."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tflite_squeeze.foreign.onnx.operators.windows import Window, padded, subsampled, window_of
from tflite_squeeze.foreign.onnx.registry import Array, Call, Unsupported, handles
from tflite_squeeze.foreign.onnx.values import CHANNELS_LAST, Value, stored

_CONV = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}
_DEPTHWISE = {1: keras.layers.DepthwiseConv1D, 2: keras.layers.DepthwiseConv2D}
_TRANSPOSED = {
    1: keras.layers.Conv1DTranspose,
    2: keras.layers.Conv2DTranspose,
    3: keras.layers.Conv3DTranspose,
}
_CROPPING = {
    1: keras.layers.Cropping1D,
    2: keras.layers.Cropping2D,
    3: keras.layers.Cropping3D,
}


def _weights(call: Call) -> tuple[Array, list[Array]]:
    kernel, bias = call.array(1), call.array(2)
    if kernel is None or kernel.ndim - 2 not in _CONV:
        raise Unsupported("of more than three dimensions")
    return kernel, [] if bias is None else [bias]


def channels_last(value: Value) -> Any:
    """The tensor with its channels last."""
    if len(value.shape) not in CHANNELS_LAST:
        raise Unsupported(f"on a tensor of {len(value.shape)} axes")
    return stored(value, CHANNELS_LAST[len(value.shape)])


@handles("Conv")
def conv(call: Call) -> Value:
    """A convolution, or a depthwise one where each channel has filters of its own."""
    kernel, bias = _weights(call)
    value, dims, groups = call.value(), kernel.ndim - 2, call.attribute("group", 1)
    window = window_of(call, value.shape[2:], kernel.shape[2:])
    if max(window.dilations) > 1 and max(window.strides) > 1:
        raise Unsupported("with strides and dilations at once")
    tensor, padding = padded(channels_last(value), window)
    config: dict[str, Any] = {
        "kernel_size": kernel.shape[2:], "strides": window.strides, "padding": padding,
        "dilation_rate": window.dilations, "use_bias": bool(bias),
    }  # fmt: skip
    skipped: Sequence[int] | None = None
    space = tuple(range(2, 2 + dims))
    channels = value.shape[1]
    if groups == channels > 1 and dims in _DEPTHWISE:
        if len(set(window.strides)) > 1:
            # The runtime's depthwise kernel has one stride for both.
            skipped, config["strides"] = window.strides, 1
        per_channel = kernel.reshape(groups, -1, *kernel.shape[2:])
        tensor = call.layer(
            _DEPTHWISE[dims],
            tensor,
            [per_channel.transpose(*(axis + 0 for axis in space), 0, 1), *bias],
            depth_multiplier=kernel.shape[0] // groups,
            **config,
        )
    else:
        tensor = call.layer(
            _CONV[dims],
            tensor,
            [kernel.transpose(*space, 1, 0), *bias],
            filters=kernel.shape[0],
            groups=groups,
            **config,
        )
    if skipped is not None:
        tensor = subsampled(tensor, skipped)
    return Value(tensor=tensor, axes=CHANNELS_LAST[dims + 2], shape=call.shape)


@handles("ConvTranspose")
def conv_transpose(call: Call) -> Value:
    """A transposed convolution, cut to ONNX's size where Keras makes more."""
    kernel, bias = _weights(call)
    value, dims, groups = call.value(), kernel.ndim - 2, call.attribute("group", 1)
    strides = call.attribute("strides", [1] * dims)
    if max(call.attribute("dilations", [1] * dims)) > 1:
        raise Unsupported("with dilations")
    sizes = [(size - 1) * step for size, step in zip(value.shape[2:], strides, strict=True)]
    full = [size + width for size, width in zip(sizes, kernel.shape[2:], strict=True)]
    low = _cut_low(call, full)
    high = [one - cut - size for one, cut, size in zip(full, low, call.shape[2:], strict=True)]
    tensor = channels_last(value)
    if _is_same(low, high, kernel.shape[2:], strides):
        tensor = _grouped(call, tensor, kernel, bias, groups, strides, "same")
        return Value(tensor=tensor, axes=CHANNELS_LAST[dims + 2], shape=call.shape)
    if min(high) < 0:
        # One element of zero more at the end makes as many outputs more as the stride.
        more = [-(cut // step) if cut < 0 else 0 for cut, step in zip(high, strides, strict=True)]
        grown = Window(
            strides=(1,) * dims, dilations=(1,) * dims, low=(0,) * dims, high=tuple(more),
            kernel=(1,) * dims, sizes=tuple(value.shape[2:]),
        )  # fmt: skip
        tensor, _ = padded(tensor, grown)
        high = [cut + count * step for cut, count, step in zip(high, more, strides, strict=True)]
    beyond = [max(step - width, 0) for step, width in zip(strides, kernel.shape[2:], strict=True)]
    tensor = _grouped(call, tensor, kernel, bias, groups, strides, "valid")
    cuts = [(one, other + more) for one, other, more in zip(low, high, beyond, strict=True)]
    if any(each != (0, 0) for each in cuts):
        tensor = _CROPPING[dims](cuts if dims > 1 else cuts[0])(tensor)
    return Value(tensor=tensor, axes=CHANNELS_LAST[dims + 2], shape=call.shape)


def _cut_low(call: Call, full: list[int]) -> list[int]:
    """How much of the full output is cut off at the beginning of each axis."""
    dims = len(full)
    automatic = call.attribute("auto_pad", "NOTSET")
    if automatic in ("NOTSET", "VALID") and not call.attribute("output_shape"):
        return [int(each) for each in call.attribute("pads", [0] * 2 * dims)[:dims]]
    total = [max(one - size, 0) for one, size in zip(full, call.shape[2:], strict=True)]
    upper = automatic == "SAME_UPPER"
    return [each // 2 if upper else each - each // 2 for each in total]


def _is_same(
    low: list[int], high: list[int], kernel: Sequence[int], strides: Sequence[int]
) -> bool:
    """Whether the cuts are those of Keras's "same"."""
    total = [width - step for width, step in zip(kernel, strides, strict=True)]
    return (
        min(total) >= 0
        and any(total)
        and all(
            one == each // 2 and other == each - each // 2
            for one, other, each in zip(low, high, total, strict=True)
        )
    )


def _grouped(
    call: Call, tensor: Any, kernel: Array, bias: list[Array], groups: int,
    strides: Sequence[int], padding: str,
) -> Any:  # fmt: skip
    """A transposed convolution of each group of channels, side by side."""
    dims = kernel.ndim - 2
    if groups > 16:
        raise Unsupported(f"with {groups} groups")
    parts = [tensor] if groups == 1 else keras.ops.split(tensor, groups, axis=-1)
    kernels = np.split(kernel, groups)
    biases = [np.split(one, groups) for one in bias]
    made = [
        call.layer(
            _TRANSPOSED[dims],
            part,
            [own.transpose(*range(2, 2 + dims), 1, 0), *(each[index] for each in biases)],
            part=index,
            filters=kernel.shape[1],
            kernel_size=kernel.shape[2:],
            strides=tuple(strides),
            padding=padding,
            use_bias=bool(bias),
        )
        for index, (part, own) in enumerate(zip(parts, kernels, strict=True))
    ]
    return made[0] if groups == 1 else keras.layers.Concatenate()(made)
