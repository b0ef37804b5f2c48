"""Integer grids of weights, as array functions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.tflite.lut import entropy_bytes

Array = NDArray[Any]

_STEPS_PER_DEVIATION = 4
_LARGEST = 127
# Of weights that are all zero, such as new biases.
_STEP_OF_NOTHING = 0.01


def first_step(weights: Array, axes: tuple[int, ...]) -> Array:
    """The step from which training goes on: a quarter of the standard deviation.

    Args:
        weights: float32.
        axes: those that share a step.

    Returns:
        Of the weights' rank, 1 along these axes. No weight is more than 127 steps.

    Example:
        >>> first_step(np.float32([[3.0, -3.0], [0.3, -0.3]]), (1,))
        array([[0.75 ],
               [0.075]], dtype=float32)
    """
    deviation = np.sqrt(np.mean(weights**2, axes, keepdims=True))
    largest = np.max(np.abs(weights), axes, keepdims=True)
    step = np.maximum(deviation / _STEPS_PER_DEVIATION, largest / _LARGEST)
    return np.where(step > 0, step, np.float32(_STEP_OF_NOTHING)).astype(np.float32)


def bfloat16(values: Array) -> Array:
    """Numbers rounded to the 8 significant bits of bfloat16, half of whose bytes are zero.

    Args:
        values: float32, positive.

    Example:
        >>> bfloat16(np.float32([0.1, 1.0]))
        array([0.10009766, 1.        ], dtype=float32)
    """
    bits = np.asarray(values, np.float32).view(np.uint32)
    return ((bits + np.uint32(0x8000)) & np.uint32(0xFFFF0000)).view(np.float32)


def emptied(
    integers: Sequence[Array], scaled: Sequence[Array], target_bytes: float
) -> tuple[list[Array], int]:
    """Makes ones zero, those that were rounded up the furthest first, until a code is short enough.

    Args:
        integers: of several weights.
        scaled: what they were rounded from.
        target_bytes: that all of them together may take, each in an ideal coder of its own.

    Returns:
        (integers, how many became zero): all ones, where that is not enough.

    Example:
        >>> (found,), count = emptied([np.int8([1, 1, 0, 0])], [np.float32([0.6, 0.9, 0, 0])], 0.45)
        >>> found, count
        (array([0, 1, 0, 0], dtype=int8), 1)
    """
    ones = [np.abs(one.astype(np.int64)) == 1 for one in integers]
    order = np.sort(
        np.concatenate([np.abs(real)[single] for real, single in zip(scaled, ones, strict=True)])
    )

    def made(count: int) -> list[Array]:
        if not count:
            return list(integers)
        most = order[count - 1]
        return [
            np.where(single & (np.abs(real) <= most), 0, one).astype(np.int8)
            for one, real, single in zip(integers, scaled, ones, strict=True)
        ]

    def fits(count: int) -> bool:
        return sum(map(entropy_bytes, made(count))) <= target_bytes

    low, high = 0, len(order)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle + 1, high)
    found = made(low)
    lost = (np.count_nonzero(old != new) for old, new in zip(integers, found, strict=True))
    return found, sum(map(int, lost))
