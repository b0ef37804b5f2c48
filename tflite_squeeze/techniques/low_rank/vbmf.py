"""The rank that a matrix has apart from noise: analytic variational Bayes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_GRID = 400


def evbmf_rank(values: Array, shape: tuple[int, int]) -> int:
    """How many singular values stand out of the noise, whose variance is estimated too.

    Args:
        values: all singular values, largest first, (min(shape),).
        shape: of the matrix.

    Returns:
        The rank; 0 where all may be noise.

    Raises:
        ValueError: these are not all the singular values of such a matrix.

    Reference: Nakajima, Sugiyama, Babacan and Tomioka 2013, Global analytic solution of
        fully-observed variational Bayesian matrix factorization, JMLR 14: the truncation threshold
        of the empirical solution, and the noise variance by a search in one dimension.

    Example:
        >>> evbmf_rank(np.array([10.0, 0.1, 0.1, 0.1]), (4, 4))
        1
    """
    rows, columns = sorted(shape)
    squares = np.square(np.asarray(values, np.float64))
    if len(squares) != rows:
        raise ValueError(f"{len(squares)} singular values for a matrix of {shape}: pass all")
    if squares.sum() == 0:
        return 0
    squares = squares / squares.sum()  # the rank does not depend on the scale
    aspect = rows / columns
    threshold = _threshold(aspect)
    low, high = _noise_bounds(squares, rows, columns, threshold)
    grid = np.geomspace(low, high, _GRID)
    energies = [_free_energy(variance, squares, columns, threshold) for variance in grid]
    variance = float(grid[int(np.argmin(energies))])
    return int(np.sum(squares > columns * variance * threshold))


def _threshold(aspect: float) -> float:
    """The value of s² / (M σ²) above which a component is kept."""
    tau = 2.5129 * np.sqrt(aspect)  # the paper's approximation of the zero of a transcendental
    return float((1 + tau) * (1 + aspect / tau))


def _noise_bounds(squares: Array, rows: int, columns: int, threshold: float) -> tuple[float, float]:
    """Between what the noise variance lies."""
    high = float(squares.sum()) / (rows * columns)
    most = min(int(np.ceil(rows / (1 + rows / columns))) - 1, rows - 1)
    rest = squares[max(most, 0) :]
    low = max(float(rest[0]) / (columns * threshold), float(rest.mean()) / columns)
    # A matrix without noise has a tail of zeros; the search needs an end above zero.
    return min(max(low, high * 1e-12), high), high


def _free_energy(variance: float, squares: Array, columns: int, threshold: float) -> float:
    """The free energy as a function of the noise variance, up to constants."""
    aspect = len(squares) / columns
    x = np.maximum(squares / (columns * variance), 1e-300)
    signal, noise = x[x > threshold], x[x <= threshold]
    shifted = signal - (1 + aspect)
    tau = 0.5 * (shifted + np.sqrt(np.maximum(np.square(shifted) - 4 * aspect, 0.0)))
    kept = signal - tau + np.log((tau + 1) / signal) + aspect * np.log(tau / aspect + 1)
    return float(np.sum(noise - np.log(noise)) + np.sum(kept))
