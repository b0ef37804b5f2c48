"""Binary and ternary weights with a scale: pure functions of tensors, and their derivatives.

`axes` are those that are summed over; the others count what has a scale of its own.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tflite_squeeze.techniques.binarization.config import Scale, WeightKind


def signs(weights: Any, kind: WeightKind, axes: Sequence[int], cut: float, scale: Scale) -> Any:
    """What each weight becomes but for the scale: -1, 0 or 1.

    Args:
        weights: float, of any shape.
        kind: "binary" knows no 0; a weight of 0 becomes 1.
        axes: see above.
        cut: a ternary weight is 0 up to `cut` times the mean of the magnitudes (scale "mean":
            Li et al. 2016, equation 6), or times their largest ("trained": Zhu et al. 2017,
            equation 9).
        scale: which of them.

    Returns:
        Of the shape and type of the weights.
    """
    if kind == "binary":
        return tf.where(weights >= 0, tf.ones_like(weights), -tf.ones_like(weights))
    reduce = tf.reduce_mean if scale == "mean" else tf.reduce_max
    threshold = cut * reduce(tf.abs(weights), axis=axes, keepdims=True)
    return tf.where(tf.abs(weights) > threshold, tf.sign(weights), tf.zeros_like(weights))


def mean_scale(weights: Any, codes: Any, axes: Sequence[int]) -> Any:
    """The scale that brings scaled signs nearest to the weights: the mean of |w| where kept.

    Args:
        weights: float.
        codes: what `signs` returned.
        axes: see above.

    Returns:
        Positive, of the weights' shape with 1 along `axes`; 1 where nothing is kept.

    Reference: Li et al. 2016, arXiv:1605.04711, equation 5.
    """
    kept = tf.reduce_sum(tf.abs(codes), axis=axes, keepdims=True)
    total = tf.reduce_sum(tf.abs(weights) * tf.abs(codes), axis=axes, keepdims=True)
    return tf.where(total > 0, total / tf.maximum(kept, 1), tf.ones_like(total))


def straight_through(weights: Any, values: Any, factor: Any = 1.0) -> Any:
    """The values, with the derivative of the weights that they were made of.

    Args:
        weights: latent.
        values: what they stand for; a derivative of their own is kept.
        factor: what the derivative by the weights is multiplied by.

    Returns:
        Exactly the values: what is added to them is 0.
    """
    return values + (weights - tf.stop_gradient(weights)) * tf.stop_gradient(factor)


def trained_values(weights: Any, codes: Any, scale: Any) -> Any:
    """Scaled signs whose scale learns too.

    Args:
        weights: latent.
        codes: -1, 0 or 1 for each.
        scale: of the weights' shape, 1 along the axes that share one.

    Returns:
        codes * scale. The derivative by the scale sums over the weights that it stands for, with
        their sign; that by a weight is `scale` times as large where the weight is not 0.

    Reference: Zhu et al. 2017, arXiv:1612.01064, equations 7 and 8.
    """
    codes = tf.stop_gradient(codes)
    factor = tf.where(codes != 0, tf.abs(scale), tf.ones_like(scale))
    return straight_through(weights, codes * scale, factor)
