"""Operators that ONNX's evaluator computes wrongly or slowly (onnx 1.23), in NumPy.

Its transposed convolution mixes up groups and takes a Python loop for each channel; its pool over
a whole sequence takes the maximum over the wrong axes; pools that round up have a window too many;
before opset 14 BatchNormalization takes the statistics of the batch.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def conv_transpose(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
    *,
    strides: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    group: int = 1,
    **_: Any,
) -> Array:
    """A transposed convolution: each element of the input adds a scaled kernel to the output.

    Args:
        x: shape (batch, channels, ...).
        kernel: shape (channels, filters of a group, ...).
        bias: shape (filters,).
        strides: how far apart the kernels are added.
        pads: what is cut off at the beginnings, then at the ends.
        dilations: the distance of a kernel's elements.
        output_padding: what is added at the ends.
        group: how many parts the channels have.
        _: what says nothing more, such as the kernel's shape.

    Example:
        >>> conv_transpose(np.ones((1, 1, 2)), np.ones((1, 1, 2)), strides=[2])
        array([[[1., 1., 1., 1.]]])
    """
    dims = x.ndim - 2
    strides, dilations = strides or [1] * dims, dilations or [1] * dims
    pads, more = pads or [0] * 2 * dims, output_padding or [0] * dims
    full = [
        (size - 1) * step + (width - 1) * apart + 1 + extra
        for size, step, width, apart, extra in zip(
            x.shape[2:], strides, kernel.shape[2:], dilations, more, strict=True
        )
    ]
    made = np.zeros((len(x), kernel.shape[1] * group, *full), x.dtype)
    whole = (slice(None), slice(None))
    parts = zip(
        np.split(made, group, axis=1), np.split(x, group, axis=1), np.split(kernel, group),
        strict=True,
    )  # fmt: skip
    for output, given, own in parts:
        for place in itertools.product(*map(range, kernel.shape[2:])):
            starts = [at * apart for at, apart in zip(place, dilations, strict=True)]
            reached = tuple(
                slice(start, start + (size - 1) * step + 1, step)
                for start, size, step in zip(starts, x.shape[2:], strides, strict=True)
            )
            at: Any = (*whole, *place)
            added = np.tensordot(own[at], given, axes=(0, 1))
            output[whole + reached] += np.moveaxis(added, 0, 1)
    if bias is not None:
        made += bias.reshape(-1, *[1] * dims)
    kept = tuple(slice(low, size - high) for low, high, size in
                 zip(pads[:dims], pads[dims:], full, strict=True))  # fmt: skip
    return made[(slice(None), slice(None), *kept)]


def global_max_pool(x: Array) -> Array:
    """The largest of each channel.

    Example:
        >>> global_max_pool(np.array([[[1, 3, 2]]]))
        array([[[3]]])
    """
    return np.asarray(x.max(axis=tuple(range(2, x.ndim)), keepdims=True))


def max_pool(x: Array, **attributes: Any) -> Array:
    """The largest in each window.

    Example:
        >>> max_pool(np.array([[[1.0, 3.0, 2.0]]]), kernel_shape=[2])
        array([[[3., 3.]]])
    """
    windows = _windows(x, -np.inf, attributes)
    return np.asarray(windows.max(axis=tuple(range(x.ndim, windows.ndim))), x.dtype)


def average_pool(x: Array, *, count_include_pad: int = 0, **attributes: Any) -> Array:
    """The mean of each window, of what is inside the image or also of the zeros around it.

    Example:
        >>> average_pool(np.array([[[1.0, 3.0]]]), kernel_shape=[2], pads=[1, 0])
        array([[[1., 2.]]])
    """
    dims = x.ndim - 2
    counted = np.ones((1, 1, *x.shape[2:]))
    if count_include_pad:
        pads = attributes.get("pads") or [0] * 2 * dims
        wide = [(0, 0), (0, 0), *zip(pads[:dims], pads[dims:], strict=True)]
        x, counted = np.pad(x, wide), np.pad(counted, wide, constant_values=1)
        attributes = {**attributes, "pads": None}
    windows, counts = _windows(x, 0, attributes), _windows(counted, 0, attributes)
    over = tuple(range(x.ndim, windows.ndim))
    return np.asarray(windows.sum(axis=over) / counts.sum(axis=over), x.dtype)


def _windows(x: Array, outside: float, attributes: dict[str, Any]) -> Array:
    """Every window of an image: shape (batch, channels, places ..., elements ...)."""
    kernel = attributes["kernel_shape"]
    dims = len(kernel)
    strides = attributes.get("strides") or [1] * dims
    apart = attributes.get("dilations") or [1] * dims
    pads = attributes.get("pads") or [0] * 2 * dims
    wide, extents = [(0, 0), (0, 0)], [(one - 1) * two + 1 for one, two in
                                       zip(kernel, apart, strict=True)]  # fmt: skip
    for axis, (extent, step) in enumerate(zip(extents, strides, strict=True)):
        low, high, size = pads[axis], pads[axis + dims], x.shape[axis + 2]
        rest = (size + low + high - extent) % step
        last = size + low + high - extent - rest + step  # where one window more would begin
        if attributes.get("ceil_mode") and rest and last < size + low:
            high += step - rest
        wide.append((low, high))
    whole = np.pad(x, wide, constant_values=outside)
    axes = tuple(range(2, 2 + dims))
    slide: Any = np.lib.stride_tricks.sliding_window_view
    views = slide(whole, extents, axis=axes)
    keys = [slice(None, None, step) for step in (*strides, *apart)]
    return np.asarray(views[(slice(None), slice(None), *keys)])


def batch_normalization(
    x: Array, scale: Array, bias: Array, mean: Array, variance: Array, **attributes: Any
) -> Array:
    """A normalization with moving statistics.

    Example:
        >>> batch_normalization(np.ones((1, 1)), *np.ones((4, 1)), epsilon=0.0)
        array([[1.]])
    """
    factor = scale / np.sqrt(variance + np.float32(attributes.get("epsilon", 1e-5)))
    shape = (-1, *[1] * (x.ndim - 2))
    made = (x - mean.reshape(shape)) * factor.reshape(shape) + bias.reshape(shape)
    return np.asarray(made, x.dtype)


OWN: dict[str, Callable[..., Array]] = {
    "AveragePool": average_pool,
    "BatchNormalization": batch_normalization,
    "ConvTranspose": conv_transpose,
    "GlobalMaxPool": global_max_pool,
    "MaxPool": max_pool,
}


def is_own(kind: str, attributes: dict[str, Any], outputs: int) -> bool:
    """Whether a node is computed here: one output, and every size stated."""
    automatic = attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")
    other = automatic or "output_shape" in attributes or attributes.get("training_mode", 0)
    return kind in OWN and outputs == 1 and not other
