"""Which weights stay: pure array functions from scores to masks.

All of them see a weight as the matrix that the runtime multiplies by: a row per output, the
inputs of that output along the row.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Granularity:
    """What is zeroed as one: elements, blocks, whole rows, or N of every M.

    Attributes:
        kind: "element", "block", "filter" or "n:m".
        rows: outputs in a block.
        columns: inputs in a block.
        n: of N:M, how many stay.
        m: of N:M, out of how many along the input.
    """

    kind: str
    rows: int = 1
    columns: int = 1
    n: int = 0
    m: int = 0

    @property
    def fixed_sparsity(self) -> float | None:
        """The sparsity that a pattern fixes by itself."""
        return 1.0 - self.n / self.m if self.kind == "n:m" else None


def parse_granularity(text: str) -> Granularity:
    """Reads `element`, `filter`, a block such as `1x4`, or a pattern such as `2:4`.

    Raises:
        ValueError: it is none of them.

    Example:
        >>> parse_granularity("2:4").fixed_sparsity
        0.5
    """
    if text in ("element", "filter"):
        return Granularity(kind=text)
    if match := re.fullmatch(r"(\d+)x(\d+)", text):
        rows, columns = int(match[1]), int(match[2])
        if rows and columns:
            return Granularity(kind="block", rows=rows, columns=columns)
    if match := re.fullmatch(r"(\d+):(\d+)", text):
        n, m = int(match[1]), int(match[2])
        if 0 < n < m:
            return Granularity(kind="n:m", n=n, m=m)
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


def mask_of(scores: Array, sparsity: float, granularity: Granularity) -> Mask:
    """The mask that keeps the highest scores.

    Args:
        scores: (outputs, inputs), not negative.
        sparsity: share of weights to zero, in [0, 1]. For N:M, the pattern holds from the sparsity
            that it fixes on; below that, fewer groups follow it.
        granularity: what is zeroed as one. The share is met to within half a unit of it.

    Returns:
        (outputs, inputs), True where a weight stays.
    """
    if granularity.kind == "element":
        return _without(scores, sparsity)
    if granularity.kind == "filter":
        rows = _without(scores.sum(axis=1), sparsity)
        return np.broadcast_to(rows[:, np.newaxis], scores.shape).copy()
    if granularity.kind == "block":
        return _blocks(scores, sparsity, granularity)
    return _n_of_m(scores, sparsity, granularity)


def _without(scores: Array, sparsity: float) -> Mask:
    mask = np.ones(scores.size, np.bool_)
    mask[lowest(scores, round(sparsity * scores.size))] = False
    return mask.reshape(scores.shape)


def _blocks(scores: Array, sparsity: float, granularity: Granularity) -> Mask:
    """Zeroes the blocks of least mean score; blocks at the edges may be smaller."""
    height, width = granularity.rows, granularity.columns
    sums = _per_block(scores, height, width)
    sizes = _per_block(np.ones_like(scores), height, width)
    kept = _without(sums / sizes, sparsity)
    return kept.repeat(height, axis=0).repeat(width, axis=1)[: scores.shape[0], : scores.shape[1]]


def _per_block(values: Array, height: int, width: int) -> Array:
    rows = np.add.reduceat(values, np.arange(0, values.shape[0], height), axis=0)
    return np.asarray(np.add.reduceat(rows, np.arange(0, values.shape[1], width), axis=1))


def _n_of_m(scores: Array, sparsity: float, granularity: Granularity) -> Mask:
    """Keeps the N highest of every M along the row; of the last, smaller group at most N."""
    n, m = granularity.n, granularity.m
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
        mask |= ~_chosen(lost, sparsity / fixed)[:, :, np.newaxis]
    return mask.reshape(outputs, groups * m)[:, :inputs]


def _chosen(values: Array, share: float) -> Mask:
    """True for the given share of lowest values."""
    return ~_without(values, share)


def allocate_globally(scores: list[Array], sparsity: float, most: float = 1.0) -> list[float]:
    """The sparsity of each tensor when all their weights are ranked together.

    Args:
        scores: per tensor, any shape.
        sparsity: of all weights together.
        most: the highest sparsity that one tensor may get, so that none is cut off.

    Returns:
        A sparsity per tensor; their weighted mean is `sparsity` to within one weight, unless
        `most` forbids it.
    """
    sizes = np.array([item.size for item in scores])
    limits = np.floor(most * sizes).astype(np.int64)
    goal = min(round(sparsity * int(sizes.sum())), int(limits.sum()))
    owners = np.repeat(np.arange(len(scores)), sizes)
    order = np.argsort(np.concatenate([item.ravel() for item in scores]), kind="stable")
    ranked = owners[order]
    taken = np.zeros(len(scores), np.int64)
    free = np.ones(len(scores), np.bool_)
    while taken.sum() < goal and free.any():
        eligible = ranked[free[ranked]]
        # Those of full tensors go to the next in rank.
        counts = np.bincount(eligible[: goal - int(taken[~free].sum())], minlength=len(scores))
        taken = np.where(free, np.minimum(counts, limits), taken)
        full = free & (counts > limits)
        if not full.any():
            break
        free &= ~full
    return [float(count / size) for count, size in zip(taken, sizes, strict=True)]


def erdos_renyi(shapes: list[tuple[int, ...]], sparsity: float) -> list[float]:
    """The sparsity of each tensor by the Erdős-Rényi-kernel rule.

    A tensor keeps weights in proportion to the sum of its dimensions over their product, so that
    small tensors stay denser.

    Args:
        shapes: Keras shapes, (..., inputs, outputs).
        sparsity: of all weights together.

    Returns:
        A sparsity per tensor; the weighted mean is `sparsity`.

    Reference: Evci et al. 2020, arXiv:1911.11134, section 3.
    """
    sizes = np.array([float(np.prod(shape)) for shape in shapes])
    raw = np.array([sum(shape) / float(np.prod(shape)) for shape in shapes])
    dense = np.zeros(len(shapes), np.bool_)
    while True:
        kept = (1.0 - sparsity) * sizes.sum() - sizes[dense].sum()
        scale = max(kept, 0.0) / max(float((raw * sizes)[~dense].sum()), 1e-12)
        over = ~dense & (scale * raw > 1.0)
        if not over.any():
            break
        dense |= over
    return [0.0 if full else float(1.0 - scale * r) for full, r in zip(dense, raw, strict=True)]
