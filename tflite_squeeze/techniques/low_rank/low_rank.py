"""Low-rank factors of a matrix, as the inputs of the layer weigh it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.weight_error import damped, damping

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What the inputs of a matrix look like.

    Attributes:
        second: E[x xᵀ], (inputs, inputs); or its diagonal, (inputs,), for one-hot inputs.
        mean: E[x], (inputs,).
        count: how many inputs it was taken over.
    """

    second: Array
    mean: Array
    count: int

    def centred(self) -> "Moment":
        """The covariance in place of the second moment, for a layer whose bias follows the mean."""
        if self.second.ndim == 1:
            raise ValueError("one-hot inputs have no bias to follow their mean")
        covariance = self.second - np.outer(self.mean, self.mean)
        return Moment(second=covariance, mean=self.mean, count=self.count)


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """A matrix W = L R by what its outputs on the inputs vary along.

    Attributes:
        values: singular values of C^½ W, largest first; C is the second moment of the inputs.
        left: L, (inputs, n): the first columns and the first rows of R are the best factors.
        right: R, (n, outputs).
    """

    values: Array
    left: Array
    right: Array

    def pair(self, rank: int) -> tuple[Array, Array]:
        """The factors U, V of a rank with the smallest ‖C^½ (W - U V)‖.

        Args:
            rank: from 1 up to the number of singular values.

        Returns:
            U (inputs, rank) and V (rank, outputs), column by column and row by row of equal norm,
            which training likes better than one large and one small factor.
        """
        left, right = self.left[:, :rank], self.right[:rank]
        norms = np.linalg.norm(left, axis=0), np.linalg.norm(right, axis=1)
        able = (norms[0] > 0) & (norms[1] > 0)
        scale = np.sqrt(np.divide(*norms, out=np.ones(rank), where=able))
        return left / scale, right * scale[:, np.newaxis]


def decompose(matrix: Array, second: Array | None = None) -> Decomposition:
    """Singular values and vectors of C^½ W.

    They are taken from the eigenvalues of the smaller of (C^½ W)ᵀ C^½ W and C^½ W (C^½ W)ᵀ, which
    is many times as fast for tall and wide matrices; values below 1e-8 of the largest are rounding.

    Args:
        matrix: W, (inputs, outputs).
        second: C, the second moment of the inputs, (inputs, inputs) or its diagonal (inputs,).
            None for the identity, which makes it the plain SVD.

    Returns:
        The decomposition, in float64.

    Reference: Zhang et al. 2015, arXiv:1505.06798, section 3.1 (responses in place of weights).

    Example:
        >>> decompose(np.diag([3.0, 2.0])).values
        array([3., 2.])
    """
    matrix = np.asarray(matrix, np.float64)
    weight: Array | None = None if second is None else np.asarray(second, np.float64)
    if matrix.shape[1] <= matrix.shape[0]:
        squares, vectors = _descending(matrix.T @ _moved(matrix, weight))
        # C^-½ P S Qᵀ, the truncated product taken back, is W Q Qᵀ: no root of C is needed.
        left: Array = matrix @ vectors
        right: Array = vectors.T
    else:
        root = _root(weight, len(matrix))
        half = root @ matrix
        squares, vectors = _descending(half @ half.T)
        left, right = np.linalg.solve(root, vectors), vectors.T @ half
    return Decomposition(values=np.sqrt(np.maximum(squares, 0.0)), left=left, right=right)


def _descending(gram: Array) -> tuple[Array, Array]:
    """Eigenvalues, largest first, and eigenvectors."""
    squares, vectors = np.linalg.eigh(gram)
    # A view that runs backwards would be multiplied a hundred times as slowly.
    return squares[::-1], np.ascontiguousarray(vectors[:, ::-1])


def _moved(matrix: Array, second: Array | None) -> Array:
    """C W, of a C that is damped."""
    if second is None:
        return matrix
    if second.ndim == 1:
        return np.asarray(damped(second)[:, np.newaxis] * matrix)
    return np.asarray(second @ matrix + damping(second) * matrix)


def _root(second: Array | None, size: int) -> Array:
    """An A with AᵀA = C, of a C that is damped."""
    if second is None or second.ndim == 1:
        return np.diag(np.ones(size) if second is None else np.sqrt(damped(second)))
    moment = damped(second)
    try:
        return np.asarray(np.linalg.cholesky(moment).T)
    except np.linalg.LinAlgError:  # indefinite by rounding: the slower way cuts what is below 0
        squares, vectors = np.linalg.eigh(moment)
        values = np.sqrt(np.maximum(squares, damping(second)))
        return np.asarray(values[:, np.newaxis] * vectors.T)


def tail_energy(values: Array) -> Array:
    """Σ_{i>r} s_i² / Σ s_i² for r = 0 … n: what is lost at each rank.

    Args:
        values: singular values, largest first, (n,).

    Returns:
        (n + 1,), from 1 down to 0; all 0 where every value is 0.

    Example:
        >>> tail_energy(np.array([2.0, 1.0]))
        array([1. , 0.2, 0. ])
    """
    squares = np.square(np.asarray(values, np.float64))
    total = squares.sum()
    if total == 0:
        return np.zeros(len(squares) + 1)
    tails = np.concatenate([np.cumsum(squares[::-1])[::-1], [0.0]])
    return np.asarray(tails / total)
