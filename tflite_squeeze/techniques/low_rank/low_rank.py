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
    """A matrix W by what its outputs on the inputs vary along.

    Attributes:
        matrix: W, (inputs, outputs).
        values: singular values of C^½ W, largest first; C is the second moment of the inputs.
        basis: right singular vectors, (outputs, n), column by column.
    """

    matrix: Array
    values: Array
    basis: Array

    def pair(self, rank: int) -> tuple[Array, Array]:
        """The factors U, V of a rank with the smallest ‖C^½ (W - U V)‖.

        Args:
            rank: from 1 up to the number of singular values.

        Returns:
            U (inputs, rank) and V (rank, outputs), column by column and row by row of equal norm,
            which training likes better than one large and one small factor.
        """
        right = self.basis[:, :rank].T
        # C^-½ P S Qᵀ, the truncated product taken back, is W Q Qᵀ: no inverse of C is needed.
        left = self.matrix @ right.T
        norms = np.linalg.norm(left, axis=0)
        scale = np.sqrt(np.where(norms > 0, norms, 1.0))
        return left / scale, right * scale[:, np.newaxis]


def decompose(matrix: Array, second: Array | None = None) -> Decomposition:
    """Singular values and vectors of C^½ W.

    They are taken from the eigenvalues of the smaller of (C^½ W)ᵀ C^½ W and C^½ W (C^½ W)ᵀ, which
    is many times as fast for tall matrices; values below 1e-8 of the largest are rounding.

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
    weight = None if second is None else np.asarray(second, np.float64)
    if matrix.shape[1] <= matrix.shape[0]:
        squares, basis = np.linalg.eigh(matrix.T @ _moved(matrix, weight))
    else:
        half = weighted(matrix, weight)
        squares, left = np.linalg.eigh(half @ half.T)
        # Orthogonal columns already, so that this only makes them of length 1.
        basis = np.linalg.qr(half.T @ left[:, ::-1])[0][:, ::-1]
    values = np.sqrt(np.maximum(squares[::-1], 0.0))
    return Decomposition(matrix=matrix, values=values, basis=basis[:, ::-1])


def _moved(matrix: Array, second: Array | None) -> Array:
    """C W, of a C that is damped."""
    if second is None:
        return matrix
    if second.ndim == 1:
        return np.asarray(damped(second)[:, np.newaxis] * matrix)
    return np.asarray(second @ matrix + damping(second) * matrix)


def weighted(matrix: Array, second: Array | None) -> Array:
    """A W with AᵀA = C: the norm of its columns is the root mean square of W's outputs.

    Args:
        matrix: W, (inputs, outputs).
        second: C, (inputs, inputs), or its diagonal, or None for the identity.
    """
    if second is None:
        return np.asarray(matrix, np.float64)
    moment = damped(np.asarray(second, np.float64))
    if moment.ndim == 1:
        return np.asarray(np.sqrt(moment)[:, np.newaxis] * matrix)
    try:
        return np.asarray(np.linalg.cholesky(moment).T @ matrix)
    except np.linalg.LinAlgError:  # indefinite by rounding: the slower way cuts what is below 0
        values, vectors = np.linalg.eigh(moment)
        return np.asarray(np.sqrt(np.maximum(values, 0.0))[:, np.newaxis] * (vectors.T @ matrix))


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
