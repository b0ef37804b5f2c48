"""The bytes that a runtime with look-up tables would need for shared values."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def index_bits(distinct: int) -> int:
    """Bits that tell so many values apart.

    Example:
        >>> index_bits(17)
        5
    """
    return max(0, math.ceil(math.log2(distinct))) if distinct else 0


def lut_bytes(count: int, distinct: int, item_bytes: int = 1, tables: int = 1) -> int:
    """The bytes of a tensor as indices and a table of its values (look-up table, codebook).

    Args:
        count: numbers in the tensor.
        distinct: values in a table, zero among them.
        item_bytes: of a value in the table.
        tables: how many tables there are, such as one per channel.

    Returns:
        Index bits times numbers, rounded up, and the tables.

    Example:
        >>> lut_bytes(1000, 16)
        516
    """
    return -(-count * index_bits(distinct) // 8) + tables * distinct * item_bytes


def entropy_bytes(values: NDArray[Any]) -> float:
    """The bytes of indices in a coder that knows how often each value occurs (order 0).

    Args:
        values: any shape.

    Example:
        >>> entropy_bytes(np.array([0, 0, 0, 0, 1, 1, 1, 1]))
        1.0
    """
    counts = np.unique(values, return_counts=True)[1]
    return float(np.sum(counts * np.log2(values.size / counts))) / 8
