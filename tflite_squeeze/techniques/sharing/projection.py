"""The projection of parameter sharing: every weight becomes the mean of those that share with it.

As the mean of the members' steps, the step of a shared value is that of the sum of their
gradients, up to a factor (Han et al. 2016, arXiv:1510.00149, section 3.2).
"""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.network import variables as keras_variables
from tflite_squeeze.network.projections import MaskProjection, new_state, parts_of

Array = NDArray[Any]

_FEW_SEGMENTS = 256
# What lies aside follows its value, and goes its own way by this share of its steps. With all of
# them, optimisers that scale steps (Adam) would carry any weight to any value within a few dozen.
_OWN_WAY = 0.02


class SharedProjection:
    """Keeps weights on few values: segment 0 is zero, each other segment has one value.

    Args:
        variable: the Keras variable.
        segments: (variable's shape), the segment of each weight.
        count: how many segments there are, the one of the zeros included.
        follows: whether what every weight would be without sharing is kept aside, so that weights
            can be assigned to other segments later.
    """

    def __init__(self, variable: Any, segments: Array, count: int, *, follows: bool) -> None:
        values = np.asarray(variable)
        self._variable = variable
        self._count = count
        self._own_mask = next(
            (
                p
                for p in parts_of(keras_variables.constraint_of(variable))
                if isinstance(p, MaskProjection)
            ),
            None,
        )
        # XLA gathers and sums several times as fast as TensorFlow's own kernels do; it is not
        # made for variables that live on several devices.
        plain = keras_variables.strategy_of(variable).num_replicas_in_sync == 1
        # Every step reads all segments, and bytes are a quarter of int32; several devices cannot
        # send each other bytes.
        self._index = np.uint8 if plain and count <= _FEW_SEGMENTS else np.int32
        self._segments = new_state(segments.astype(self._index), variable)
        self._first = new_state(np.zeros(count, np.int32), variable)
        self._inverse = new_state(np.zeros(count, np.float32), variable)
        self._aside = new_state(values.astype(np.float32), variable) if follows else None
        self._values = new_state(np.zeros(count, np.float32), variable) if follows else None
        self._compiled = tf.function(self._shared, jit_compile=True) if plain else self._shared
        self.assign(segments)

    def __call__(self, weights: Any) -> Any:
        """Applies the projection to a tensor of the variable's shape, inside the step."""
        return self._compiled(tf.convert_to_tensor(weights))

    def _shared(self, tensor: Any) -> Any:
        flat = tf.cast(tf.reshape(tensor, [-1]), tf.float32)
        segments = tf.cast(tf.reshape(self._segments, [-1]), tf.int32)
        inverse = tf.convert_to_tensor(self._inverse)
        if self._own_mask is not None:
            # A mask may have moved since the segments were counted: its zeros are no members.
            segments = tf.where(tf.reshape(self._own_mask.mask, [-1]), segments, 0)
            counts = tf.math.unsorted_segment_sum(tf.ones_like(flat), segments, self._count)
            inverse = tf.where(inverse > 0, tf.math.reciprocal_no_nan(counts), 0.0)
        # The mean is taken of distances from a member (or the last value), not of the weights:
        # a sum over thousands of equal numbers would drift by its rounding in every step.
        if self._values is None:
            base = self._made(tf.gather(flat, self._first))
        else:
            base = tf.convert_to_tensor(self._values)
        away = flat - tf.gather(base, segments)
        means = base + tf.math.unsorted_segment_sum(away, segments, self._count) * inverse
        means = self._made(tf.where(inverse > 0, means, 0.0))
        if self._aside is not None:
            own = away - tf.gather(means - base, segments)
            moved = tf.where(segments > 0, away - (1.0 - _OWN_WAY) * own, 0.0)
            self._aside.assign_add(tf.reshape(moved, self._aside.shape))
            self._values.assign(means)  # type: ignore[union-attr]
        return tf.cast(tf.reshape(tf.gather(means, segments), tensor.shape), tensor.dtype)

    def _made(self, table: Any) -> Any:
        """The same values; XLA would else compute them anew for each weight that reads them."""
        return tf.math.unsorted_segment_sum(table, tf.range(self._count), self._count)

    @property
    def segments(self) -> Array:
        """The segment of each weight, (variable's shape)."""
        return np.asarray(self._segments).astype(np.int64)

    def free(self) -> Array:
        """The weights as they would be without sharing, where that is kept."""
        return np.asarray(self._variable if self._aside is None else self._aside)

    def table(self) -> Array | None:
        """The value of each segment as the weights have it now, (segments,), 0 where it is empty.

        Returns:
            None where the weights do not share as the segments say.
        """
        flat = np.asarray(self._variable).ravel()
        values = np.where(np.asarray(self._inverse) > 0, flat[np.asarray(self._first)], 0)
        held = np.array_equal(values[np.asarray(self._segments).ravel()], flat)
        return values if held else None

    def assign(self, segments: Array, weights: Array | None = None) -> None:
        """Gives every weight a segment, and every segment the mean of its members.

        Args:
            segments: of the variable's shape.
            weights: what the means are taken of; the variable's own by default.
        """
        source = np.asarray(self._variable) if weights is None else weights
        flat = segments.ravel()
        counts = np.bincount(flat, minlength=self._count)
        sums = np.bincount(flat, source.ravel().astype(np.float64), self._count)
        counts[0] = 0
        means = np.divide(sums, counts, out=np.zeros(self._count), where=counts > 0)
        first = np.zeros(self._count, np.int32)
        first[flat[::-1]] = np.arange(flat.size - 1, -1, -1)
        self._segments.assign(segments.astype(self._index))
        self._first.assign(first)
        self._inverse.assign(1.0 / np.where(counts > 0, counts, np.inf))
        means = means.astype(np.float32)
        if self._values is not None:
            self._values.assign(means)
        self._variable.assign(means[flat].reshape(segments.shape))
