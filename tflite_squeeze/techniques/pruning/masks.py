"""Which weights stay: from scores to masks, by what is zeroed as one.

All of them see a weight as the matrix that the runtime multiplies by: a row per output, the
inputs of that output along the row.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Granularity:
    """What is zeroed as one."""

    @property
    def possible(self) -> bool:
        """Whether its numbers make sense."""
        return True

    @property
    def fixed_sparsity(self) -> float | None:
        """The sparsity that a pattern fixes by itself."""
        return None

    def mask(self, scores: Array, sparsity: float) -> Mask:
        """The mask that keeps the highest scores.

        Args:
            scores: (outputs, inputs), not negative.
            sparsity: share of weights to zero, in [0, 1]; met to within half a unit.

        Returns:
            (outputs, inputs), True where a weight stays.
        """
        raise NotImplementedError

    def unit(self, outputs: int, inputs: int) -> int:
        """How far the zeros of a matrix may be from what was asked for."""
        raise NotImplementedError


class Element(Granularity):
    """Single weights."""

    def mask(self, scores: Array, sparsity: float) -> Mask:
        """Zeroes the weights of least score."""
        return _without(scores, sparsity)

    def unit(self, outputs: int, inputs: int) -> int:
        """One weight."""
        return 1


class Filter(Granularity):
    """Whole outputs."""

    def mask(self, scores: Array, sparsity: float) -> Mask:
        """Zeroes the outputs of least total score."""
        rows = _without(scores.sum(axis=1), sparsity)
        return np.broadcast_to(rows[:, np.newaxis], scores.shape).copy()

    def unit(self, outputs: int, inputs: int) -> int:
        """One output."""
        return inputs


@dataclass(frozen=True)
class Block(Granularity):
    """Blocks of `rows` outputs by `columns` inputs; those at the edges may be smaller."""

    rows: int
    columns: int

    @property
    def possible(self) -> bool:
        """Whether it has a weight."""
        return self.rows > 0 and self.columns > 0

    def mask(self, scores: Array, sparsity: float) -> Mask:
        """Zeroes the blocks of least mean score."""
        height, width = self.rows, self.columns
        sums = _per_block(scores, height, width)
        sizes = _per_block(np.ones_like(scores), height, width)
        kept = _without(sums / sizes, sparsity).repeat(height, axis=0).repeat(width, axis=1)
        return kept[: scores.shape[0], : scores.shape[1]]

    def unit(self, outputs: int, inputs: int) -> int:
        """One block."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Pattern(Granularity):
    """N:M: of every `m` weights along the input, `n` stay."""

    n: int
    m: int

    @property
    def possible(self) -> bool:
        """Whether some stay and some go."""
        return 0 < self.n < self.m

    @property
    def fixed_sparsity(self) -> float | None:
        """The share of every group that goes."""
        return 1.0 - self.n / self.m

    def mask(self, scores: Array, sparsity: float) -> Mask:
        """Keeps the N highest of every M along the row; of the last, smaller group at most N.

        The pattern holds from the sparsity that it fixes on; below that, fewer groups follow it.
        """
        n, m = self.n, self.m
        outputs, inputs = scores.shape
        groups = -(-inputs // m)
        padded = np.full((outputs, groups * m), -1.0)  # what is not there is zeroed first
        padded[:, :inputs] = scores
        grouped = padded.reshape(outputs, groups, m)
        order = np.argsort(grouped, axis=2)
        mask = np.ones(grouped.shape, np.bool_)
        np.put_along_axis(mask, order[:, :, : m - n], False, axis=2)
        fixed = 1.0 - n / m
        if sparsity < fixed:
            # The groups that lose least by it follow the pattern first.
            lost = np.where(mask, 0.0, np.maximum(grouped, 0.0)).sum(axis=2)
            mask |= _without(lost, sparsity / fixed)[:, :, np.newaxis]
        return mask.reshape(outputs, groups * m)[:, :inputs]

    def unit(self, outputs: int, inputs: int) -> int:
        """One group, and the last of every row, which may be too short to have its zeros."""
        return outputs * (inputs % self.m) + self.m


_FORMS: tuple[tuple[str, Callable[..., Granularity]], ...] = (
    ("element", Element),
    ("filter", Filter),
    (r"(\d+)x(\d+)", Block),
    (r"(\d+):(\d+)", Pattern),
)


def parse_granularity(text: str) -> Granularity:
    """Reads `element`, `filter`, a block such as `1x4`, or a pattern such as `2:4`.

    Raises:
        ValueError: it is none of them.

    Example:
        >>> parse_granularity("2:4").fixed_sparsity
        0.5
    """
    for form, kind in _FORMS:
        if match := re.fullmatch(form, text):
            units = kind(*map(int, match.groups()))
            if units.possible:
                return units
    raise ValueError(
        f"granularity is {text!r}: use element, filter, a block such as 1x4, or N:M such as 2:4"
    )


def lowest(scores: Array, count: int) -> NDArray[np.int64]:
    """Flat indices of the `count` lowest scores, exactly that many, ties broken anyhow.

    Args:
        scores: any shape.
        count: how many, in [0, scores.size].
    """
    if count <= 0:
        return np.empty(0, np.int64)
    flat = scores.ravel()
    if count >= flat.size:
        return np.arange(flat.size)
    return np.argpartition(flat, count - 1)[:count]


def _without(scores: Array, sparsity: float) -> Mask:
    """False for that share of the scores, the lowest."""
    mask = np.ones(scores.size, np.bool_)
    mask[lowest(scores, round(sparsity * scores.size))] = False
    return mask.reshape(scores.shape)


def _per_block(values: Array, height: int, width: int) -> Array:
    rows = np.add.reduceat(values, np.arange(0, values.shape[0], height), axis=0)
    return np.asarray(np.add.reduceat(rows, np.arange(0, values.shape[1], width), axis=1))
