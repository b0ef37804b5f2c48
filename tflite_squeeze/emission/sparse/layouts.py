"""How a sparse tensor may lie in a file, and what each way costs: plain counting, no file.

A layout walks a tensor's dimensions in some order. All are written out in full but one, of which
only the positions that hold something are listed (compressed sparse rows); inside such a position
there may be a small dense block.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.tflite.tensor_values import fewest_values

Array = NDArray[Any]

# Measured on packed files: the tables of a sparse tensor with the DENSIFY operator and the dense
# tensor that it fills; and what the RESHAPEs around a covering convolution add to that.
SPARSE_TABLES_BYTES, COVERING_TABLES_BYTES = 240, 160

_BLOCK_SIZES = (2, 4, 8, 16)
_MOST_TAPS = 1024


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A way to store a sparse tensor.

    Attributes:
        shape: the tensor's shape, or the shape of the same size that it is written in.
        order: its dimensions in the order in which they are walked, the listed one last.
        block: elements of a block along `block_dimension`; 1 for none.
        block_dimension: the dimension that blocks split.
    """

    shape: tuple[int, ...]
    order: tuple[int, ...]
    block: int = 1
    block_dimension: int = 0

    @property
    def listed(self) -> int:
        """The dimension of which only filled positions are listed."""
        return self.order[-1]

    @cached_property
    def outer_shape(self) -> tuple[int, ...]:
        """The shape in blocks."""
        return tuple(
            size // self.block if dimension == self.block_dimension else size
            for dimension, size in enumerate(self.shape)
        )

    @property
    def rows(self) -> int:
        """How many lists of positions there are."""
        return math.prod(self.outer_shape) // max(self.outer_shape[self.listed], 1)

    @property
    def index_bytes(self) -> int:
        """Bytes of a listed position."""
        return integer_bytes(self.outer_shape[self.listed] - 1)

    def data_bytes(self, filled: int, item_bytes: int) -> int:
        """Bytes of values, positions and row ends.

        Args:
            filled: how many blocks (elements, without blocks) are written.
            item_bytes: bytes of a value.

        Example:
            >>> Layout(shape=(2, 100), order=(0, 1)).data_bytes(5, item_bytes=1)
            13
        """
        return filled * (self.block * item_bytes + self.index_bytes) + (
            self.rows + 1
        ) * integer_bytes(filled)


@dataclass(frozen=True, kw_only=True)
class Costed:
    """A layout and the bytes that a tensor takes in it, tables included."""

    layout: Layout
    bytes: int


def integer_bytes(largest: int) -> int:
    """Bytes of the narrowest type that the format has for numbers up to `largest`."""
    return 1 if largest < 2**8 else 2 if largest < 2**16 else 4


def dense_layouts(shape: tuple[int, int]) -> Iterator[Layout]:
    """Layouts of a Dense layer's weights, as the kernel of a convolution.

    Args:
        shape: (outputs, inputs).

    Yields:
        Layouts of the shape (outputs, 1, taps, inputs / taps) for every number of taps that
        divides the inputs; by rows and by columns, with blocks along either.
    """
    outputs, inputs = shape
    for taps in (count for count in range(1, min(inputs, _MOST_TAPS) + 1) if inputs % count == 0):
        view = (outputs, 1, taps, inputs // taps)
        yield from _with_blocks(view, (0, 1, 2, 3))
        if taps == 1:  # by columns the number of rows is the same for any
            yield from _with_blocks(view, (1, 2, 3, 0))


def kernel_layouts(shape: tuple[int, ...]) -> Iterator[Layout]:
    """Layouts of the kernel of a convolution: any dimension may be the listed one.

    Args:
        shape: (outputs, height, width, inputs).
    """
    for listed in range(len(shape)):
        others = tuple(dimension for dimension in range(len(shape)) if dimension != listed)
        yield from _with_blocks(shape, (*others, listed))


def cheapest(values: Array, layouts: Iterable[Layout], tables_bytes: int) -> list[Costed]:
    """The layouts of least bytes: the best without blocks, and the best with.

    Args:
        values: the tensor, of any shape of the layouts' size.
        layouts: what to choose from.
        tables_bytes: what each costs beside its data.

    Returns:
        The best first.
    """
    best: dict[bool, Costed] = {}
    filled: dict[tuple[int, int], int] = {}
    for layout in layouts:
        key = (layout.block_dimension, layout.block) if layout.block > 1 else (0, 1)
        if key not in filled:
            filled[key] = np.count_nonzero(kept_blocks(values, layout))
        size = layout.data_bytes(filled[key], values.itemsize) + tables_bytes
        blocked = layout.block > 1
        if blocked not in best or size < best[blocked].bytes:
            best[blocked] = Costed(layout=layout, bytes=size)
    return sorted(best.values(), key=lambda costed: costed.bytes)


def kept_blocks(values: Array, layout: Layout) -> NDArray[np.bool_]:
    """Which blocks of a layout are written: those with a value that is not 0.

    Of a tensor that is all or nearly all zero, the first of the others are written, too: a buffer
    without a byte means "no data", and readers take a huge tensor of a few bytes for damaged.

    Args:
        values: of any shape of the layout's size.
        layout: the layout.

    Returns:
        (rows, positions).
    """
    kept: NDArray[np.bool_] = (rows_of(values, layout) != 0).any(axis=2)
    missing = -(-fewest_values(values.size) // layout.block) - np.count_nonzero(kept)
    if missing > 0:
        kept.flat[np.flatnonzero(~kept)[:missing]] = True
    return kept


def rows_of(values: Array, layout: Layout) -> Array:
    """The values as a layout walks them.

    Args:
        values: of any shape of the layout's size.
        layout: the layout.

    Returns:
        (rows, positions, values of a block).
    """
    at = layout.block_dimension
    split = (*layout.shape[:at], layout.outer_shape[at], layout.block, *layout.shape[at + 1 :])
    moved = np.moveaxis(values.reshape(split), at + 1, -1)
    walked = moved.transpose((*layout.order, len(layout.shape)))
    return walked.reshape(layout.rows, layout.outer_shape[layout.listed], layout.block)


def _with_blocks(shape: tuple[int, ...], order: tuple[int, ...]) -> Iterator[Layout]:
    if shape[order[-1]] > 1:
        yield Layout(shape=shape, order=order)
    for dimension in {0, len(shape) - 1}:
        for size in _BLOCK_SIZES:
            if shape[dimension] % size == 0 and shape[dimension] >= size:
                yield Layout(shape=shape, order=order, block=size, block_dimension=dimension)
