"""The code length of integers under a learned distribution, and rounding that has gradients.

Reference: Ballé et al. 2017, arXiv:1611.01704, equation 6 (noise in place of rounding); Oktay et
al. 2020, arXiv:1906.06624, section 3.
"""

import math
from typing import Any

import tensorflow as tf

COMPONENTS = 3
# Of the logarithm of a component's scale: wide enough for large integers, and so narrow that all
# but one in 20,000 is 0.
_NARROWEST, _WIDEST = -3.0, 5.0
_LEAST_MASS = 1e-12
# Multiples of these, wrapped to 32 bits, are spread evenly (Weyl sequences).
_GOLDEN, _SILVER = -1_640_531_527, 1_779_033_703
LARGEST = 127  # int8, symmetric
# The table of gradients: so many cells a step, up to here.
_CELLS, _BEYOND = 8, 128
_SAMPLE = 4096


def interval_mass(values: Any, log_scale: Any) -> Any:
    """The mass of a zero-mean logistic distribution within half a step of each value.

    The difference of two sigmoids is (1 - t²) e / ((1 + t²) e + t (1 + e²)), with
    t = exp(-1 / 2b) and e = exp(-|x| / b): one exponential a value, and nothing cancels.

    Args:
        values: in steps, any shape.
        log_scale: log b, a scalar.

    Returns:
        Of the shape of the values, in (0, 1).

    Example:
        >>> round(float(interval_mass(0.0, 0.0)), 4)  # tanh(1 / 4)
        0.2449
    """
    inverse = tf.exp(-tf.clip_by_value(log_scale, _NARROWEST, _WIDEST))
    t = tf.exp(-0.5 * inverse)
    e = tf.exp(-tf.abs(values) * inverse)
    return (1 - t * t) * e / ((1 + t * t) * e + t * (1 + e * e))


def code_length(values: Any, log_scales: Any, logits: Any) -> Any:
    """The nats that an ideal coder needs for integers: -log of their mass under a mixture.

    Args:
        values: in steps, any shape; whole numbers, or such with uniform noise.
        log_scales: (components,), of the logistic distributions, all of mean 0.
        logits: (components,), of their shares.

    Returns:
        A scalar, summed over all values.

    Reference: Oktay et al. 2020, arXiv:1906.06624, equation 4.
    """
    return tf.reduce_sum(_lengths(values, log_scales, logits))


def _lengths(values: Any, log_scales: Any, logits: Any) -> Any:
    shares = tf.nn.softmax(logits)
    masses = [
        shares[one] * interval_mass(values, log_scales[one]) for one in range(logits.shape[0])
    ]
    return -tf.math.log(tf.add_n(masses) + _LEAST_MASS)


def uniform_noise(shape: tuple[int, ...], step: Any, seed: int) -> Any:
    """Numbers in [-½, ½), spread evenly over the values of a step and the steps of a value.

    They stand in for rounding, so they need not be random; random ones take more time than the
    rest of the rate.

    Args:
        shape: of the values.
        step: which of the training, an int32 scalar.
        seed: where the sequences begin.

    Reference: Weyl 1916, "Über die Gleichverteilung von Zahlen mod. Eins".
    """
    counted = tf.range(math.prod(shape)) * _GOLDEN
    begin = (tf.cast(step, tf.int32) + seed % 2**16) * _SILVER
    # Products wrap around; the highest 24 bits are what float32 holds exactly.
    bits = tf.bitwise.right_shift(counted + begin, 8)
    return tf.reshape(tf.cast(bits, tf.float32) * 2.0**-24, shape)


def noisy_gradient(log_scales: Any, logits: Any) -> Any:
    """The gradient of the code length of one value, its noise averaged out, as a table.

    The mean over noise of the derivative of a function is the difference of its values half a step
    to either side.

    Args:
        log_scales: (components,).
        logits: (components,).

    Returns:
        (2048,), for eighths of a step from -128 on, in the middle of each.
    """
    half, count = _CELLS // 2, 2 * _BEYOND * _CELLS
    middles = (tf.range(-half, count + half, dtype=tf.float32) + 0.5) / _CELLS - _BEYOND
    lengths = _lengths(middles, log_scales, logits)
    return lengths[2 * half :] - lengths[: -2 * half]


def rate_of(
    weights: Any, log_step: Any, log_scales: Any, logits: Any, count: Any
) -> tuple[Any, tuple[Any, Any, Any, Any]]:
    """The code length of weights as integers, and its gradients for all that it depends on.

    The length is estimated from a sample of the weights, which moves on with the count of steps,
    and so are the gradients for the distribution; those for weights and steps are exact.

    Args:
        weights: float32.
        log_step: logarithm of the step, in a shape that the weights' extends.
        log_scales: (components,), of the distribution.
        logits: (components,).
        count: steps of training so far, an int32 scalar.

    Returns:
        (nats, gradients for the first four arguments).
    """
    step = _exp(log_step)
    values = tf.clip_by_value(weights / step, -LARGEST, LARGEST)
    sample = _sampled(tf.reshape(values, [-1]), count)
    with tf.GradientTape() as tape:
        tape.watch((log_scales, logits))
        share = math.prod(weights.shape) / math.prod(sample.shape)
        nats = code_length(sample, log_scales, logits) * share
    of_mixture = tape.gradient(nats, (log_scales, logits))
    cells = tf.cast((values + _BEYOND) * _CELLS, tf.int32)
    of_values = tf.gather(noisy_gradient(log_scales, logits), cells)
    of_step = -_summed(of_values, values, log_step)
    return nats, (of_values / step, of_step, *of_mixture)


def with_gradients(value: Any, gradients: Any, arguments: Any) -> Any:
    """A value with gradients that are known already.

    Args:
        value: a scalar.
        gradients: of the arguments' shapes.
        arguments: what it depends on.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def of(*_arguments: Any) -> Any:
        return tf.identity(value), lambda upstream: tuple(upstream * one for one in gradients)

    return of(*arguments)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def rounded(weights: Any, log_step: Any) -> Any:
    """Weights rounded to multiples of a step, up to 127 of them.

    Gradients pass the rounding unchanged (straight-through); that of a step is how far its weights
    were moved.

    Args:
        weights: float32.
        log_step: logarithm of the step, in a shape that the weights' extends.

    Reference: Bengio et al. 2013, arXiv:1308.3432; Esser et al. 2020, arXiv:1902.08153, equations
    1 to 3.
    """
    step = _exp(log_step)
    within = tf.clip_by_value(weights, -LARGEST * step, LARGEST * step)
    made = tf.round(within * (1 / step)) * step

    def gradient(upstream: Any) -> Any:
        return upstream, _summed(upstream, made - within, log_step)

    return made, gradient


def _exp(log_step: Any) -> Any:
    """The step, as a scalar where there is one: TensorFlow broadcasts scalars fastest."""
    single = math.prod(log_step.shape) == 1
    return tf.exp(tf.reshape(log_step, []) if single else log_step)


def _summed(one: Any, other: Any, log_step: Any) -> Any:
    """The products of two tensors, summed over what shares a step."""
    if math.prod(log_step.shape) == 1:
        total = tf.tensordot(tf.reshape(one, [-1]), tf.reshape(other, [-1]), 1)
    else:
        axes = [axis for axis, size in enumerate(log_step.shape) if size == 1]
        total = tf.reduce_sum(one * other, axes)
    return tf.reshape(total, log_step.shape)


def _sampled(flat: Any, count: Any) -> Any:
    """Some of many values, others in each step, with noise."""
    size = flat.shape[0]
    stride = max(1, size // _SAMPLE)
    if stride > 1:
        stride |= 1  # coprime to most widths of layers, so that samples cross all columns
        rows = tf.reshape(flat[: size // stride * stride], [-1, stride])
        flat = tf.reshape(tf.slice(rows, [0, count % stride], [size // stride, 1]), [-1])
    return flat + uniform_noise(tuple(flat.shape), count, size)


def group_length(values: Any, axes: tuple[int, ...]) -> Any:
    """Nats for the size of each filter, log(1 + Σ|x|): small ones are worth emptying altogether.

    Args:
        values: in steps.
        axes: those that count filters.

    Returns:
        A scalar, summed over filters.

    Reference: Candès et al. 2008, arXiv:0711.1612, section 2.2 (the sum of logarithms).
    """
    rank = len(values.shape)
    kept = {axis % rank for axis in axes}
    others = [axis for axis in range(rank) if axis not in kept]
    return tf.reduce_sum(tf.math.log1p(tf.reduce_sum(tf.abs(values), others)))
