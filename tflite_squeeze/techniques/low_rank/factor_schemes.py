"""Kernels as chains of smaller kernels: the channel pair, the spatial pair, Tucker-2.

A kernel is (rows, columns, in, out); a matrix is a kernel of one place, (1, 1, in, out).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.weight_error import damping, relative_error
from tflite_squeeze.techniques.low_rank.low_rank import Decomposition, decompose

Array = NDArray[Any]
Shape = tuple[int, int, int, int]

SchemeName = Literal["channel", "spatial", "tucker", "heads"]
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
class Choice:
    """A way to split a kernel.

    Attributes:
        scheme: which chain.
        ranks: of it.
        parameters: weights of the chain's kernels.
        macs: its multiply-accumulates for one example.
    """

    scheme: SchemeName
    ranks: tuple[int, ...]
    parameters: int
    macs: int


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


class Unfolded:
    """A kernel as the matrices that its schemes decompose, each decomposed once.

    Args:
        kernel: (rows, columns, in, out).
        second: second moment of the patches that the kernel sees, (rows columns in)², or its
            diagonal, or None for the identity.

    Attributes:
        kernel: float64.
        second: as given.
    """

    def __init__(self, kernel: Array, second: Array | None = None) -> None:
        self.kernel = np.asarray(kernel, np.float64)
        self.second = second
        # A budget tries the same ranks several times before it takes them.
        self._known: dict[tuple[SchemeName, tuple[int, ...]], tuple[Array, ...]] = {}

    @cached_property
    def outputs(self) -> Decomposition:
        """(rows columns in, out)."""
        return decompose(_matrix(self.kernel), self.second)

    @cached_property
    def rows(self) -> Decomposition:
        """(rows in, columns out), weighed by a column of a patch."""
        rows, columns, received, sent = self.kernel.shape
        unfolded = np.transpose(self.kernel, (0, 2, 1, 3)).reshape(-1, columns * sent)
        if self.second is None:
            return decompose(unfolded)
        apart = self.second.reshape(rows, columns, received, rows, columns, received)
        second = np.einsum("aibcid->abcd", apart) / columns
        return decompose(unfolded, second.reshape(rows * received, rows * received))

    @cached_property
    def inputs(self) -> Decomposition:
        """(in, rows columns out), weighed by one place of a patch."""
        rows, columns, received, _ = self.kernel.shape
        unfolded = np.transpose(self.kernel, (2, 0, 1, 3)).reshape(received, -1)
        if self.second is None:
            return decompose(unfolded)
        apart = self.second.reshape(rows * columns, received, rows * columns, received)
        return decompose(unfolded, np.einsum("aiaj->ij", apart) / (rows * columns))

    def spectra(self, scheme: SchemeName) -> tuple[Array, ...]:
        """The singular values that each rank of a scheme cuts off."""
        if scheme == "channel":
            return (self.outputs.values,)
        if scheme == "spatial":
            return (self.rows.values,)
        return (self.inputs.values, self.outputs.values)

    def factors(self, scheme: SchemeName, ranks: tuple[int, ...]) -> tuple[Array, ...]:
        """The kernels of a chain: those of `stages`, with values.

        The channel pair has the smallest error of the outputs on inputs of this second moment. The
        spatial pair and Tucker-2 take the subspace that is best for one factor, and then the best
        other factors for it, by least squares.

        Args:
            scheme: which.
            ranks: as in `stages`.

        Returns:
            float64 kernels, each (rows, columns, in, out).

        Reference: Zhang et al. 2015, arXiv:1505.06798, section 3.1 (channel); Jaderberg et al.
            2014, arXiv:1405.3866, scheme 2 (spatial); Kim et al. 2016, arXiv:1511.06530, section
            3.1 (Tucker-2).
        """
        key = scheme, tuple(ranks)
        if key not in self._known:
            self._known[key] = self._factors(scheme, ranks)
        return self._known[key]

    def _factors(self, scheme: SchemeName, ranks: tuple[int, ...]) -> tuple[Array, ...]:
        rows, columns, received, sent = self.kernel.shape
        if scheme == "channel":
            left, right = self.outputs.pair(ranks[0])
            return left.reshape(rows, columns, received, -1), right.reshape(1, 1, -1, sent)
        if scheme == "spatial":
            left, _ = self.rows.pair(ranks[0])
            vertical = left.reshape(rows, 1, received, -1)
            taps = _taps_of_columns(vertical, columns)
            refitted = _refitted(self.kernel, taps, partial(_by_column, vertical), self.second)
            return vertical, refitted.reshape(1, columns, -1, sent)
        return self._tucker(ranks)

    def error(self, chain: tuple[Array, ...]) -> float:
        """The relative root mean square error of the outputs under a chain."""
        whole = _matrix(self.kernel)
        return relative_error(whole, recomposed(chain).reshape(whole.shape), self.second)

    def _tucker(self, ranks: tuple[int, ...]) -> tuple[Array, ...]:
        """The factor of the inputs first, then the channel pair of what it leaves."""
        rows, columns, received, sent = self.kernel.shape
        before, inner = ranks
        core, second, chain = self.kernel, self.second, []
        if before < received:
            entry, _ = self.inputs.pair(before)
            taps = np.kron(np.eye(rows * columns), entry)
            times = partial(_by_place, entry)
            core = _refitted(core, taps, times, second).reshape(rows, columns, before, sent)
            second = times(taps if second is None else times(second).T)
            chain.append(entry.reshape(1, 1, received, before))
        if inner == sent:
            return (*chain, core)
        left, right = decompose(_matrix(core), second).pair(inner)
        chain += [left.reshape(rows, columns, before, inner), right.reshape(1, 1, inner, sent)]
        return tuple(chain)


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


def _taps_of_columns(vertical: Array, columns: int) -> Array:
    """What vertical filters make of a patch, as a matrix (rows columns in, columns rank)."""
    rows, _, received, rank = vertical.shape
    taps = np.zeros((rows, columns, received, columns, rank))
    for column in range(columns):
        taps[:, column, :, column, :] = vertical[:, 0]
    return taps.reshape(rows * columns * received, columns * rank)


def _by_column(vertical: Array, right: Array) -> Array:
    """Tᵀ M for the T of `_taps_of_columns`, column by column."""
    rows, _, received, _ = vertical.shape
    apart = right.reshape(rows, -1, received, right.shape[1])
    found = np.tensordot(vertical[:, 0], apart, ((0, 1), (0, 2)))  # (rank, columns, n)
    return found.transpose(1, 0, 2).reshape(-1, right.shape[1])


def _by_place(entry: Array, right: Array) -> Array:
    """Tᵀ M for a T that has the same entry at each place, place by place."""
    apart = right.reshape(-1, len(entry), right.shape[1])
    return np.asarray(np.matmul(entry.T, apart).reshape(-1, right.shape[1]))


def _refitted(
    kernel: Array, taps: Array, times: Callable[[Array], Array], second: Array | None
) -> Array:
    """The B with the smallest ‖C^½ (W - T B)‖ for a first step T, by least squares.

    Args:
        kernel: W as (rows, columns, in, out).
        taps: T.
        times: multiplies Tᵀ with a matrix.
        second: C.
    """
    weighed = taps.T
    if second is not None:  # damped, so that features that no sample has shown count a little
        weighed = times(second) + damping(second) * taps.T
    gram = times(weighed.T)
    least = 1e-13 * (float(np.trace(gram)) / len(gram) or 1.0)
    return np.asarray(np.linalg.solve(gram + least * np.eye(len(gram)), weighed @ _matrix(kernel)))
