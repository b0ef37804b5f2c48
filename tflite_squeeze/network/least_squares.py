"""Kernels by least squares: from what a layer is given to what it is to answer.

A layer multiplies rows, the patches that its kernel sees, with a matrix. Where its inputs have
changed, the matrix that comes nearest to wanted answers is the solution of a ridge regression
towards the kernel that it has:

    min over W, b  E ‖x W + b - y‖² + λ ‖W - W₀‖²,  λ = alpha · mean(diag(Cov(x)))

The intercept is free, so that x and y are centred. Everything is summed up in float64.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Where a layer's inputs are constant, the system is still solvable, and gives W₀ back.
_FLOOR = 1e-10


Positions = int | NDArray[np.int64] | None


def rows(
    layer: Any, x: Array, positions: Positions = None, rng: np.random.Generator | None = None
) -> Array:
    """What a layer's kernel multiplies, a row for each position of its output.

    Args:
        layer: Dense, Conv1D, Conv2D, Conv3D, DepthwiseConv1D, DepthwiseConv2D or EinsumDense, of
            either version of Keras, channels last.
        x: a batch of its inputs, (examples, …, channels).
        positions: how many positions of each example, drawn without replacement; None for all; or
            those that `drawn` has drawn.
        rng: draws them.

    Returns:
        (n, taps · channels) in the order of the kernel's axes; (n, taps, channels) of a depthwise
        layer.

    Example:
        >>> rows(keras.layers.Conv2D(8, 3), np.zeros((2, 5, 5, 4), np.float32)).shape
        (18, 36)
    """
    return _rows_at(layer, x, drawn(len(x), places_of(layer, x), positions, rng))


def paired_rows(
    layer: Any,
    x: Array,
    y: Array,
    positions: Positions = None,
    rng: np.random.Generator | None = None,
) -> tuple[Array, Array]:
    """Rows of a layer's inputs, and of its outputs at the same positions.

    Args:
        layer: as in `rows`.
        x: a batch of its inputs, (examples, …, channels).
        y: what it is to answer before its activation, (examples, …, channels out).
        positions: as in `rows`.
        rng: as in `rows`.

    Returns:
        (rows as in `rows`, (n, outputs)).
    """
    places = places_of(layer, x)
    at = drawn(len(x), places, positions, rng)
    return _rows_at(layer, x, at), output_rows(np.reshape(y, (len(x), places, -1)), at)


def drawn(
    examples: int, places: int, positions: Positions, rng: np.random.Generator | None = None
) -> NDArray[np.int64]:
    """Positions of each example by number, without replacement.

    Args:
        examples: how many.
        places: how many positions each has.
        positions: as in `rows`; drawn ones are returned as they are.
        rng: draws them.

    Returns:
        (examples, positions), all of them where no fewer are wanted.

    Example:
        >>> drawn(2, 3, None)
        array([[0, 1, 2],
               [0, 1, 2]])
    """
    if isinstance(positions, np.ndarray):
        return positions
    if positions is None or positions >= places:
        return np.broadcast_to(np.arange(places), (examples, places))
    rng = np.random.default_rng(0) if rng is None else rng
    return np.argsort(rng.random((examples, places)), axis=1)[:, :positions]


def output_rows(y: Array, at: NDArray[np.int64]) -> Array:
    """A layer's outputs at drawn positions.

    Args:
        y: (examples, …, outputs).
        at: positions by number, (examples, positions).

    Returns:
        (examples · positions, outputs).
    """
    flat = np.asarray(y).reshape(len(at), -1, np.shape(y)[-1])
    picked = np.take_along_axis(flat, at[:, :, np.newaxis], axis=1)
    return np.asarray(picked.reshape(-1, flat.shape[-1]))


class NormalEquations:
    """Sums over rows from which a ridge regression is solved; batches may come one by one.

    Args:
        inputs: width of the rows.
        outputs: width of the answers.

    Example:
        >>> sums = NormalEquations(2, 1)
        >>> sums.add(np.eye(2), np.array([[1.0], [3.0]]))
        >>> sums.count
        2
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        self.count = 0
        self._x, self._y = np.zeros(inputs), np.zeros(outputs)
        self._xx, self._xy = np.zeros((inputs, inputs)), np.zeros((inputs, outputs))

    def add(self, x: Array, y: Array) -> None:
        """Adds rows (n, inputs) and their answers (n, outputs)."""
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        self.count += len(x)
        self._x += x.sum(axis=0)
        self._y += y.sum(axis=0)
        self._xx += x.T @ x
        self._xy += x.T @ y

    def __add__(self, other: "NormalEquations") -> "NormalEquations":
        """The sums over the rows of both."""
        both = NormalEquations(len(self._x), len(self._y))
        both.count = self.count + other.count
        for name in ("_x", "_y", "_xx", "_xy"):
            setattr(both, name, getattr(self, name) + getattr(other, name))
        return both

    def solved(
        self, start: Array, alpha: float = 1e-2, *, intercept: bool = True
    ) -> tuple[Array, Array]:
        """The matrix and the intercept, as `ridge` returns them."""
        scale = 1.0 if intercept else 0.0
        mean, answer = scale * self._x / self.count, scale * self._y / self.count
        covariance = self._xx / self.count - np.outer(mean, mean)
        crossed = self._xy / self.count - np.outer(mean, answer)
        matrix = _towards(covariance, crossed, np.asarray(start, np.float64), alpha)
        return matrix, answer - mean @ matrix


def ridge(
    x: Array, y: Array, start: Array, alpha: float = 1e-2, *, intercept: bool = True
) -> tuple[Array, Array]:
    """The W and b with the smallest mean ‖x W + b - y‖² + λ ‖W - W₀‖².

    Args:
        x: rows, (n, inputs).
        y: their answers, (n, outputs).
        start: W₀, (inputs, outputs).
        alpha: λ as a multiple of the mean variance of the inputs.
        intercept: whether there is a b; else it is 0.

    Returns:
        W (inputs, outputs) and b (outputs,), float64.

    Reference: He et al. 2017, arXiv:1707.06168, section 3.1 (reconstruction of a layer's outputs).

    Example:
        >>> ridge(np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]]), np.zeros((1, 1)), alpha=0)
        (array([[2.]]), array([1.]))
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    scale = 1.0 if intercept else 0.0
    mean, answer = scale * x.mean(axis=0), scale * y.mean(axis=0)
    x, y, start = x - mean, y - answer, np.asarray(start, np.float64)
    if len(x) < x.shape[1]:
        matrix = _towards_by_rows(x, y, start, alpha)
    else:
        matrix = _towards(_crossed(x, x), _crossed(x, y), start, alpha)
    return matrix, answer - mean @ matrix


def ridge_depthwise(x: Array, y: Array, start: Array, alpha: float = 1e-2) -> tuple[Array, Array]:
    """The same for a depthwise kernel: a regression for each channel.

    Args:
        x: rows, (n, taps, channels).
        y: their answers, (n, channels · multiplier), the multiplier's axis last.
        start: W₀, (taps, channels, multiplier).
        alpha: as in `ridge`, of each channel's own variance.

    Returns:
        W (taps, channels, multiplier) and b (channels · multiplier,), float64.
    """
    x, start = np.moveaxis(np.asarray(x, np.float64), -1, 0), np.moveaxis(start, 1, 0)
    y = np.moveaxis(np.asarray(y, np.float64).reshape(len(y), *start.shape[::2]), 1, 0)
    mean, answer = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
    x, y = x - mean, y - answer
    matrices = _towards(_crossed(x, x), _crossed(x, y), start.astype(np.float64), alpha)
    return np.moveaxis(matrices, 0, 1), (answer - mean @ matrices).reshape(-1)


def _crossed(x: Array, y: Array) -> Array:
    """The mean products of centred columns, (..., n, inputs) and (..., n, outputs)."""
    return np.asarray(np.swapaxes(x, -1, -2) @ y / x.shape[-2])


def _towards(covariance: Array, crossed: Array, start: Array, alpha: float) -> Array:
    """W₀ + (H + λ)⁻¹ (XᵀY - H W₀), of one or of many."""
    size = covariance.shape[-1]
    penalty = alpha * np.trace(covariance, axis1=-2, axis2=-1)[..., None, None] / size + _FLOOR
    damped = covariance + penalty * np.eye(size)
    return np.asarray(start + np.linalg.solve(damped, crossed - covariance @ start))


def _towards_by_rows(x: Array, y: Array, start: Array, alpha: float) -> Array:
    """The same with a matrix of the rows, where they are fewer: W₀ + Xᵀ (X Xᵀ + λ)⁻¹ (Y - X W₀)."""
    penalty = alpha * float(np.square(x).sum()) / x.shape[1] + _FLOOR * len(x)
    damped = x @ x.T + penalty * np.eye(len(x))
    return np.asarray(start + x.T @ np.linalg.solve(damped, y - x @ start))


def places_of(layer: Any, x: Array) -> int:
    """How many positions the output of one example has.

    Args:
        layer: as in `rows`.
        x: a batch of its inputs, (examples, …, channels).
    """
    if hasattr(layer, "kernel_size"):
        return math.prod(count for _, count in _windows(layer, x.shape[1:-1]))
    return math.prod(_flat(layer, x).shape[1:-1])


def _rows_at(layer: Any, x: Array, at: NDArray[np.int64]) -> Array:
    x = np.asarray(x)
    examples = np.arange(len(x))[:, np.newaxis]
    if not hasattr(layer, "kernel_size"):
        flat = _flat(layer, x)
        flat = flat.reshape(len(x), -1, flat.shape[-1])
        return np.asarray(flat[examples, at].reshape(-1, flat.shape[-1]))
    windows = _windows(layer, x.shape[1:-1])
    x = np.pad(x, [(0, 0), *_padding(layer, windows, x.shape[1:-1]), (0, 0)])
    axes = np.unravel_index(at, [count for _, count in windows])
    taps = np.indices(layer.kernel_size).reshape(len(windows), -1)
    taken = [
        axis[:, :, np.newaxis] * step + tap * apart
        for axis, step, tap, apart in zip(
            axes, layer.strides, taps, layer.dilation_rate, strict=True
        )
    ]
    patches = x[(examples[:, :, np.newaxis], *taken)].reshape(-1, taps.shape[1], x.shape[-1])
    if type(layer).__name__.startswith("Depthwise"):
        return np.asarray(patches)
    return np.asarray(patches.reshape(len(patches), -1))


def _windows(layer: Any, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """(reach of the kernel, positions) for each axis."""
    windows = []
    for size, taps, step, apart in zip(
        sizes, layer.kernel_size, layer.strides, layer.dilation_rate,
        strict=True,
    ):  # fmt: skip
        reach = (taps - 1) * apart + 1
        whole = size if layer.padding in ("same", "causal") else size - reach + 1
        windows.append((reach, -(-whole // step)))
    return windows


def _padding(
    layer: Any, windows: Sequence[tuple[int, int]], sizes: Sequence[int]
) -> list[tuple[int, int]]:
    """Zeros before and after each axis, as TensorFlow puts them."""
    if layer.padding == "causal":
        return [(reach - 1, 0) for reach, _ in windows]
    if layer.padding == "valid":
        return [(0, 0)] * len(windows)
    missing = [
        max((count - 1) * step + reach - size, 0)
        for (reach, count), step, size in zip(windows, layer.strides, sizes, strict=True)
    ]
    return [(most // 2, most - most // 2) for most in missing]


def _flat(layer: Any, x: Array) -> Array:
    """The inputs with what is summed over as one last axis."""
    if type(layer).__name__ != "EinsumDense":
        return np.asarray(x)
    received, kernel, result = layer.equation.replace("->", ",").split(",")
    summed = [letter for letter in kernel if letter not in result]
    if "..." in received:
        # Greek letters stand for the axes that the ellipsis leaves open.
        gap = "".join(chr(0x3B1 + at) for at in range(x.ndim - len(received) + 3))
        received = received.replace("...", gap)
    last = [received.index(letter) for letter in summed]
    moved = np.moveaxis(np.asarray(x), last, range(x.ndim - len(last), x.ndim))
    return moved.reshape(*moved.shape[: x.ndim - len(last)], -1)
