"""What earlier compression made of a kernel, and training with rounded weights keeps.

Zeros stay zeros, since they get no gradients. Values that weights share stay shared, since the
kernel is computed from the means of what shares a value. Folded normalisation multiplies each
channel by a factor, so that a kernel is factor times value.

Reference: Han et al. 2016, arXiv:1510.00149, section 3.2 (gradients of shared values).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.network.weights import select

Array = NDArray[Any]

# int8 cannot tell more values apart.
_MOST_VALUES = 255
# Where weights are few, they are no values that are shared but just few.
_MEMBERS_PER_VALUE = 4
# Trained numbers are hardly ever equal, so that in small kernels a few equal ones are shared, too.
_FEWEST_MEMBERS = 1.1
_CLOSE = 1e-4


def values_shared(weights: Array, members_per_value: float = _MEMBERS_PER_VALUE) -> int:
    """How many values other than 0 the weights of a kernel share; 0 where they share none.

    Args:
        weights: of any shape.
        members_per_value: how many weights there are for each value, at least.

    Example:
        >>> values_shared(np.array([0.5, 0.5, 0.5, 0.5, 0.0]))
        1
    """
    members = weights[weights != 0]
    values = len(np.unique(members)) if members.size else 0
    return values if values <= min(_MOST_VALUES, members.size / members_per_value) else 0


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Which weights of a kernel share a value.

    Attributes:
        segments: int32, of the kernel's shape: the value that each weight has, 0 for zeros.
        factors: by which each channel is multiplied, in a shape that the kernel's extends.
        count: how many values there are, zero included.
    """

    segments: Array
    factors: Array
    count: int

    @property
    def means(self) -> Array:
        """Of each value 1 / Σ factor² over its members, and √ of their number, (2, count).

        The first is 0 for zero, which has no mean.
        """
        factors = np.broadcast_to(self.factors, self.segments.shape).ravel()
        flat = self.segments.ravel()
        squares = np.bincount(flat, factors**2, self.count)
        members = np.bincount(flat, minlength=self.count)
        inverse = np.divide(1.0, squares, out=np.zeros(self.count), where=squares > 0)
        inverse[0] = 0
        return np.asarray(np.stack([inverse, np.sqrt(members)]), np.float32)


def sharing_of(original: Array, kernel: Array, axes: Sequence[int]) -> Sharing | None:
    """How a folded kernel shares values; None where it does not.

    Args:
        original: before normalisation was folded in.
        kernel: after, of the same shape.
        axes: those that count channels.
    """
    if original.shape != kernel.shape or not values_shared(original, _FEWEST_MEMBERS):
        return None
    others = tuple(
        axis for axis in range(kernel.ndim) if axis - kernel.ndim not in axes and axis not in axes
    )
    wide, folded = original.astype(np.float64), kernel.astype(np.float64)
    squares = np.sum(wide**2, others, keepdims=True)
    products = np.sum(wide * folded, others, keepdims=True)
    factors = np.divide(products, squares, out=np.ones_like(squares), where=squares > 0)
    if np.max(np.abs(factors * wide - folded)) > _CLOSE * max(np.max(np.abs(folded)), 1e-12):
        return None
    values = np.unique(original[original != 0])
    segments = np.where(original == 0, 0, 1 + np.searchsorted(values, original)).astype(np.int32)
    return Sharing(segments=segments, factors=factors.astype(np.float32), count=len(values) + 1)


def kernels_of(model: Any) -> dict[str, tuple[str, Array]]:
    """The kernels of a model by the layers that may have them once the model is folded.

    Args:
        model: a Keras model of either version, before `folded`.

    Returns:
        (name of the weight, its values) by the name of the layer: a separable convolution becomes
        two layers, and an activation a layer of its own, which takes the name.
    """
    found = {}
    for target in select(model).targets:
        name, weight = target.layer.name, (target.name, np.asarray(target.variable))
        if target.name.endswith("/depthwise_kernel"):
            found[f"{name}_depthwise"] = weight
        if not target.name.endswith("/depthwise_kernel") or "Depthwise" in target.layer_type:
            found[name] = found[f"{name}_linear"] = weight
    return found


def shared_table(kernel: Any, segments: Any, factors: Any, means: Any) -> Any:
    """The values of a kernel, (count,): the least-squares ones of factor times value.

    The gradient of each value is the sum over those that share it, divided by the square root of
    their number, so that it is about as large as that of a weight.

    Args:
        kernel: float32.
        segments: as in `Sharing`.
        factors: as in `Sharing`.
        means: as in `Sharing`.
    """
    flat = tf.reshape(kernel * factors, [-1])
    sums = tf.math.unsorted_segment_sum(flat, tf.reshape(segments, [-1]), means.shape[1])
    table = sums * means[0]
    larger = table * means[1]
    return tf.stop_gradient(table) + (larger - tf.stop_gradient(larger))


def shared_kernel(table: Any, segments: Any, factors: Any) -> Any:
    """A kernel of its values: factor times value, 0 for zeros.

    Args:
        table: what `shared_table` returned.
        segments: as in `Sharing`.
        factors: as in `Sharing`.
    """
    flat = tf.gather(table, tf.reshape(segments, [-1]))
    return tf.reshape(flat, segments.shape) * factors


def with_zeros(kernel: Any) -> Any:
    """A kernel whose zeros have no gradient."""
    return kernel * tf.cast(kernel != 0, kernel.dtype)


def has_zeros(kernel: Array) -> bool:
    """Whether some weights of a kernel are zero; not one of zeros only, which is free to train."""
    nonzero = int(np.count_nonzero(kernel))
    return 0 < nonzero < kernel.size
