"""Values rounded to the integers of a plan, with gradients that pass straight through.

Reference: Jacob et al. 2018, arXiv:1712.05877, 3.1; Bengio et al. 2013, arXiv:1308.3432.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import tensorflow as tf

from tflite_squeeze.network.quantization.plan import WeightQuantization

_exported: ContextVar[bool] = ContextVar("exported", default=False)
_gridded: ContextVar[bool] = ContextVar("gridded", default=True)
_WIDEST = 32767  # of 16 bits, symmetric
# So many steps of 16 bits are one of the 8 that stand for them in a file on its way: these reach as
# far, and no range of 8 bits has such a step by itself.
COARSER = 259
LEAST = 1e-8  # of a magnitude: a channel of zeros has steps too


@contextmanager
def exporting(*, grids: bool = True) -> Iterator[None]:
    """Within it, quantized layers are traced with constants, which the converter reads.

    Args:
        grids: whether the converter is to read the scales of kernels; else they are floats.
    """
    tokens = _exported.set(True), _gridded.set(grids)
    try:
        yield
    finally:
        _exported.reset(tokens[0])
        _gridded.reset(tokens[1])


def is_exporting() -> bool:
    """Whether layers are traced for the converter."""
    return _exported.get()


def constant(variable: Any) -> Any:
    """A variable's value as a constant of the graph that is traced."""
    with tf.init_scope():
        value = np.asarray(variable)
    return tf.constant(value)


def fake_activation(values: Any, low: Any, high: Any, bits: int) -> Any:
    """Values on the grid of a range.

    Args:
        values: float32.
        low: the least value of the range, 0 or less.
        high: the greatest.
        bits: 8 or 16. For the converter, which reads 8 bits alone, steps are `COARSER` then.
    """
    if bits == 16 and is_exporting():
        step = max(abs(_static(low)), abs(_static(high))) / _WIDEST * COARSER
        return tf.quantization.fake_quant_with_min_max_vars(values, -128 * step, 127 * step)
    if bits == 16:
        high = tf.maximum(tf.abs(low), tf.abs(high))
        low = -high
    return tf.quantization.fake_quant_with_min_max_vars(
        values, low, high, num_bits=bits, narrow_range=bits == 16
    )


def _static(number: Any) -> float:
    """A number that is known while a graph is traced."""
    return float(tf.get_static_value(number) if tf.is_tensor(number) else number)


def half_away(values: Any, low: Any, high: Any, bits: int) -> Any:
    """Means of integers of a range, such that `fake_activation` rounds halves as kernels do.

    These round halves of the integers that they store, such as -128 to 127, away from zero; up is
    what the fake quantization does.

    Args:
        values: float32.
        low: the least value of the range.
        high: the greatest.
        bits: 8 or 16.
    """
    if bits == 16:
        step, zero = tf.maximum(tf.abs(low), tf.abs(high)) / _WIDEST, 0.0
    else:
        step = (high - low) / 255
        zero = tf.round(-low / step) - 128
    return tf.where(values < -zero * step, values - 1e-3 * step, values)


def fake_weights(
    values: Any, quantization: WeightQuantization, largest: Any, *, depthwise: bool = False
) -> Any:
    """A weight on its grid.

    Args:
        values: float32.
        quantization: the bits and the axis.
        largest: the greatest value of the grid: a scalar, or (channels,).
        depthwise: whether the two last axes together count channels.
    """
    bits = quantization.bits
    if bits is None:
        return values
    if quantization.axis is None:
        return tf.quantization.fake_quant_with_min_max_vars(
            values, -largest, largest, num_bits=bits, narrow_range=True
        )
    rows, order = _by_channel(values, quantization.axis, depthwise=depthwise)
    rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        rows, -largest, largest, num_bits=bits, narrow_range=True
    )
    rounded = tf.reshape(rounded, [values.shape[axis] for axis in order])
    in_place = order == sorted(order)
    return rounded if in_place else tf.transpose(rounded, np.argsort(order))


def with_learned_steps(
    values: Any, quantization: WeightQuantization, largest: Any, *, depthwise: bool = False
) -> Any:
    """A weight on its grid, with gradients for the steps of the grid too.

    That of a step is, weight by weight, how far rounding moved the weight, in steps, or the
    greatest integer where it was clipped; summed, and divided by √(weights x greatest integer).

    Args:
        values: float32.
        quantization: the bits and the axis.
        largest: the greatest value of the grid: a scalar, or (channels,).
        depthwise: whether the two last axes together count channels.

    Reference: Esser et al. 2020, arXiv:1902.08153, equations 1 to 3 and section 2.2.
    """
    levels = quantization.levels
    shape = [1] * len(values.shape)
    if quantization.axis is not None:
        for axis in (-2, -1) if depthwise else (quantization.axis,):
            shape[axis] = values.shape[axis]
    step = tf.reshape(largest / levels, shape)
    weights = values.shape.num_elements() // max(1, step.shape.num_elements())
    scaled = step / float(np.sqrt(weights * levels))
    step = tf.stop_gradient(step) + (scaled - tf.stop_gradient(scaled))
    clipped = tf.clip_by_value(values / step, -float(levels), float(levels))
    return (clipped + tf.stop_gradient(tf.round(clipped) - clipped)) * step


def exported_weights(
    values: Any, quantization: WeightQuantization, largest: Any, *, depthwise: bool
) -> Any:
    """Constants with steps that the converter reads: int8 that holds fewer bits, too.

    Args:
        values: on their grid.
        quantization: its axis counts.
        largest: 127 steps: a scalar, or (channels,).
        depthwise: whether the two last axes together count channels.
    """
    kernel = tf.constant(values)
    if not _gridded.get():
        return kernel
    if quantization.axis is None:
        return tf.quantization.fake_quant_with_min_max_vars(
            kernel, float(-largest), float(largest), narrow_range=True
        )
    # The converter knows a scale a channel on the last axis, and a reshaped depthwise kernel.
    shape = values.shape
    if depthwise:
        kernel = tf.reshape(kernel, [*shape[:-2], shape[-2] * shape[-1]])
    kernel = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        kernel, -largest, largest, narrow_range=True
    )
    return tf.reshape(kernel, shape) if depthwise else kernel


def largest_magnitudes(
    values: Any, quantization: WeightQuantization, *, depthwise: bool = False
) -> Any:
    """The greatest magnitude of a weight, or of each channel: a scalar or (channels,).

    Args:
        values: float32.
        quantization: its axis counts.
        depthwise: whether the two last axes together count channels.
    """
    if quantization.axis is None:
        return tf.maximum(tf.reduce_max(tf.abs(values)), LEAST)
    rows, _ = _by_channel(values, quantization.axis, depthwise=depthwise)
    return tf.maximum(tf.reduce_max(tf.abs(rows), 0), LEAST)


def _by_channel(values: Any, axis: int, *, depthwise: bool) -> tuple[Any, list[int]]:
    """The values as (others, channels), and the order in which their axes stand there."""
    rank = len(values.shape)
    order = list(range(rank))
    if depthwise:
        return tf.reshape(values, [-1, values.shape[-2] * values.shape[-1]]), order
    axis %= rank
    if axis != rank - 1:
        order = [*(one for one in order if one != axis), axis]
        values = tf.transpose(values, order)
    return tf.reshape(values, [-1, values.shape[-1]]), order
