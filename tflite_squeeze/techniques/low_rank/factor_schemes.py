"""Kernels as chains of smaller kernels: the channel pair, the spatial pair, Tucker-2.

A kernel is (rows, columns, in, out); a matrix is a kernel of one place, (1, 1, in, out).
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.techniques.low_rank.low_rank import Decomposition, decompose

Array = NDArray[Any]
Shape = tuple[int, int, int, int]

SchemeName = Literal["channel", "spatial", "tucker"]
SCHEMES: tuple[SchemeName, ...] = ("channel", "spatial", "tucker")


class Places(NamedTuple):
    """Over how many places a kernel moves, all calls of one example together.

    Attributes:
        calls: how often the layer is called.
        rows_in, columns_in: of its input.
        rows_out, columns_out: of its output.
    """

    calls: int
    rows_in: int
    columns_in: int
    rows_out: int
    columns_out: int


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One kernel of a chain.

    Attributes:
        shape: (rows, columns, in, out).
        down: whether it makes the steps of the original kernel (strides) from row to row.
        across: and from column to column.
    """

    shape: Shape
    down: bool
    across: bool


def stages(scheme: SchemeName, shape: Shape, ranks: tuple[int, ...]) -> tuple[Stage, ...]:
    """The kernels of a chain by shape.

    Args:
        scheme: "channel" is rows x columns x rank, then 1x1; "spatial" is rows x 1, then
            1 x columns; "tucker" is 1x1, rows x columns, 1x1, of which an outer one is left out
            where its rank is full.
        shape: of the kernel.
        ranks: one; for "tucker" that of the inputs and that of the outputs.
    """
    rows, columns, received, sent = shape
    if scheme == "spatial":
        (rank,) = ranks
        first = Stage(shape=(rows, 1, received, rank), down=True, across=False)
        return (first, Stage(shape=(1, columns, rank, sent), down=False, across=True))
    if scheme == "channel":
        (inner,) = ranks
        before = received
    else:
        before, inner = ranks
    chain = [Stage(shape=(rows, columns, before, inner), down=True, across=True)]
    if before < received:
        chain.insert(0, Stage(shape=(1, 1, received, before), down=False, across=False))
    if scheme == "channel" or inner < sent:
        chain.append(Stage(shape=(1, 1, inner, sent), down=False, across=False))
    return tuple(chain)


def full_ranks(scheme: SchemeName, shape: Shape) -> tuple[int, ...]:
    """The ranks at which nothing is lost.

    Example:
        >>> full_ranks("spatial", (3, 3, 16, 32))
        (48,)
    """
    rows, columns, received, sent = shape
    if scheme == "spatial":
        return (min(rows * received, columns * sent),)
    if scheme == "channel":
        return (min(rows * columns * received, sent),)
    places = rows * columns
    return min(received, places * sent), min(sent, places * received)


def possible_ranks(scheme: SchemeName, shape: Shape, ranks: tuple[int, ...]) -> tuple[int, ...]:
    """The ranks, lowered to what the kernels of a chain can have at most.

    Example:
        >>> possible_ranks("tucker", (3, 3, 16, 64), (2, 40))
        (2, 18)
    """
    lowered = tuple(min(pair) for pair in zip(ranks, full_ranks(scheme, shape), strict=True))
    if scheme == "tucker":
        return lowered[0], min(lowered[1], shape[0] * shape[1] * lowered[0])
    return lowered


def parameters_of(chain: tuple[Stage, ...]) -> int:
    """How many weights the kernels of a chain have."""
    return sum(math.prod(stage.shape) for stage in chain)


def macs_of(chain: tuple[Stage, ...], places: Places) -> int:
    """The multiply-accumulates of a chain for one example."""
    rows, columns, total = places.rows_in, places.columns_in, 0
    for stage in chain:
        rows = places.rows_out if stage.down else rows
        columns = places.columns_out if stage.across else columns
        total += rows * columns * math.prod(stage.shape)
    return places.calls * total


def spectra(scheme: SchemeName, kernel: Array, second: Array | None) -> tuple[Array, ...]:
    """The singular values that each rank of a scheme cuts off.

    Args:
        scheme: which.
        kernel: (rows, columns, in, out).
        second: second moment of the patches that the kernel sees, (rows columns in)², or its
            diagonal, or None for the identity.
    """
    if scheme == "channel":
        return (decompose(_matrix(kernel), second).values,)
    if scheme == "spatial":
        return (_by_rows(kernel, second).values,)
    return (_by_inputs(kernel, second).values, decompose(_matrix(kernel), second).values)


def factors(
    scheme: SchemeName, kernel: Array, ranks: tuple[int, ...], second: Array | None = None
) -> tuple[Array, ...]:
    """The kernels of a chain: those of `stages`, with values.

    The channel pair has the smallest error of the outputs on inputs of this second moment. The
    spatial pair and Tucker-2 take the subspace that is best for one factor, and then the best
    other factors for it, by least squares.

    Args:
        scheme: which.
        kernel: (rows, columns, in, out).
        ranks: as in `stages`.
        second: as in `spectra`.

    Returns:
        float64 kernels, each (rows, columns, in, out).

    Reference: Zhang et al. 2015, arXiv:1505.06798, section 3.1 (channel); Jaderberg et al. 2014,
        arXiv:1405.3866, scheme 2 (spatial); Kim et al. 2016, arXiv:1511.06530, section 3.1
        (Tucker-2).
    """
    rows, columns, received, sent = kernel.shape
    if scheme == "channel":
        left, right = decompose(_matrix(kernel), second).pair(ranks[0])
        return left.reshape(rows, columns, received, -1), right.reshape(1, 1, -1, sent)
    if scheme == "spatial":
        left, _ = _by_rows(kernel, second).pair(ranks[0])
        vertical = left.reshape(rows, 1, received, -1)
        refitted = _refitted(kernel, _taps_of_columns(vertical, columns), second)
        return vertical, refitted.reshape(1, columns, -1, sent)
    return _tucker(kernel, ranks, second)


def recomposed(chain: tuple[Array, ...]) -> Array:
    """The one kernel that a chain amounts to, (rows, columns, in, out)."""
    whole = chain[0]
    for kernel in chain[1:]:
        # On each axis one of the two has a single place, so that places multiply out.
        joined = np.einsum("abir,cdro->acbdio", whole, kernel)
        rows, more_rows, columns, more_columns, received, sent = joined.shape
        whole = joined.reshape(rows * more_rows, columns * more_columns, received, sent)
    return np.asarray(whole)


def _matrix(kernel: Array) -> Array:
    """(rows columns in, out)."""
    return np.asarray(kernel, np.float64).reshape(-1, kernel.shape[-1])


def _by_rows(kernel: Array, second: Array | None) -> Decomposition:
    """The kernel as (rows in, columns out), weighed by a column of a patch."""
    rows, columns, received, sent = kernel.shape
    unfolded = np.transpose(np.asarray(kernel, np.float64), (0, 2, 1, 3))
    if second is not None:
        apart = second.reshape(rows, columns, received, rows, columns, received)
        second = np.einsum("aibcid->abcd", apart) / columns
        second = second.reshape(rows * received, rows * received)
    return decompose(unfolded.reshape(rows * received, columns * sent), second)


def _by_inputs(kernel: Array, second: Array | None) -> Decomposition:
    """The kernel as (in, rows columns out), weighed by one place of a patch."""
    rows, columns, received, sent = kernel.shape
    unfolded = np.transpose(np.asarray(kernel, np.float64), (2, 0, 1, 3))
    if second is not None:
        apart = second.reshape(rows * columns, received, rows * columns, received)
        second = np.einsum("aiaj->ij", apart) / (rows * columns)
    return decompose(unfolded.reshape(received, rows * columns * sent), second)


def _tucker(kernel: Array, ranks: tuple[int, ...], second: Array | None) -> tuple[Array, ...]:
    """The factor of the inputs first, then the channel pair of what it leaves."""
    rows, columns, received, sent = kernel.shape
    before, inner = ranks
    core, chain = kernel, []
    if before < received:
        entry, _ = _by_inputs(kernel, second).pair(before)
        taps = np.kron(np.eye(rows * columns), entry)
        core = _refitted(kernel, taps, second).reshape(rows, columns, before, sent)
        second = taps.T @ taps if second is None else taps.T @ second @ taps
        chain.append(entry.reshape(1, 1, received, before))
    if inner == sent:
        return (*chain, core)
    left, right = decompose(_matrix(core), second).pair(inner)
    chain += [left.reshape(rows, columns, before, inner), right.reshape(1, 1, inner, sent)]
    return tuple(chain)


def _taps_of_columns(vertical: Array, columns: int) -> Array:
    """What vertical filters make of a patch, as a matrix (rows columns in, columns rank)."""
    rows, _, received, rank = vertical.shape
    taps = np.zeros((rows, columns, received, columns, rank))
    for column in range(columns):
        taps[:, column, :, column, :] = vertical[:, 0]
    return taps.reshape(rows * columns * received, columns * rank)


def _refitted(kernel: Array, taps: Array, second: Array | None) -> Array:
    """The B with the smallest ‖C^½ (W - T B)‖ for a first step T, by least squares."""
    matrix = _matrix(kernel)
    if second is None:
        return np.asarray(np.linalg.lstsq(taps, matrix, rcond=None)[0])
    weighed = taps.T @ second
    gram = weighed @ taps
    # Features that no sample has shown stay as small as they can, as in `lstsq`.
    return np.asarray(np.linalg.lstsq(gram, weighed @ matrix, rcond=1e-10)[0])
