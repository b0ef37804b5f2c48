"""Which kernels of a Keras model share few values, in the form in which a file holds them.

Those whose values are whole multiples of a step are among them, however many values these are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.quantization.kept import values_shared
from tflite_squeeze.network.quantization.plan import WeightQuantization
from tflite_squeeze.network.weights import select

LARGEST = 127  # of a file's integers, which are symmetric
_OFF_GRID = 1e-4  # of a step
# Of so few values nearly all are multiples of something.
_FEWEST_IN_ROW = 4


@dataclass(frozen=True, kw_only=True)
class SharedKernel:
    """A kernel whose weights share few values, or are whole multiples of steps.

    Attributes:
        name: layer and weight.
        matrix: (outputs, inputs), float64, inputs in the file's order.
        values: how many values other than 0 there are.
        steps: what one of the file's integers stands for, (outputs,).
        bias: of its layer, (outputs,); None where it has none of this size.
    """

    name: str
    matrix: NDArray[np.float64]
    values: int
    steps: NDArray[np.float64]
    bias: NDArray[np.float64] | None = None


def shared_kernels(source: LoadedModel) -> list[SharedKernel]:
    """The kernels of a model whose weights share few values; none for other sources than Keras.

    Args:
        source: the model.
    """
    if source.kind not in (ModelKind.KERAS, ModelKind.TF_KERAS):
        return []
    found = []
    for target in select(source.model).targets:
        weights: NDArray[Any] = np.asarray(target.variable)
        # Quantized layers that know of sharing have scales that keep it.
        own = getattr(target.layer, "shared_values", 0) or _has_few_levels(target.layer)
        if own or not weights.any():
            continue
        matrix = target.matrix(weights).astype(np.float64)
        steps = steps_of(matrix)
        if steps is not None or values_shared(weights):
            found.append(
                SharedKernel(
                    name=target.name,
                    matrix=matrix,
                    values=len(np.unique(matrix[matrix != 0])),
                    steps=_even_steps(matrix) if steps is None else steps,
                    bias=_bias_of(target.layer, len(matrix)),
                )
            )
    return found


def _even_steps(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """One step for all rows, by which the largest value is 127."""
    return np.full(len(matrix), np.max(np.abs(matrix)) / LARGEST)


def _bias_of(layer: Any, outputs: int) -> NDArray[np.float64] | None:
    bias = getattr(layer, "bias", None)
    values = None if bias is None else np.asarray(bias, np.float64)
    return values if values is not None and values.shape == (outputs,) else None


def steps_of(matrix: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The steps that all values of a matrix are whole multiples of, 127 at most.

    Args:
        matrix: (outputs, inputs).

    Returns:
        (outputs,): one for all rows, or one for each; None where there are none.

    Example:
        >>> steps_of(np.array([[0.5, -1.5], [0.0, 1.0]]))
        array([0.5, 0.5])
    """
    one = step_of(matrix)
    if one is not None:
        return np.full(len(matrix), one)
    if matrix.shape[1] < _FEWEST_IN_ROW:
        return None
    steps = []
    for row in matrix:
        step = step_of(row) if row.any() else 1.0
        if step is None:
            return None
        steps.append(step)
    return np.array(steps)


def step_of(values: NDArray[np.float64]) -> float | None:
    """The largest step that all values are whole multiples of, 127 at most; None for none.

    Args:
        values: not all zero.

    Example:
        >>> step_of(np.array([0.5, -0.75]))
        0.25
    """
    magnitudes = np.unique(np.abs(values[values != 0]))
    if len(magnitudes) > LARGEST:
        return None
    least, most = magnitudes[0], magnitudes[-1]
    for parts in range(1, int(LARGEST * least / most + _OFF_GRID) + 1):
        multiples = magnitudes * parts / least
        if np.all(np.abs(multiples - np.rint(multiples)) <= _OFF_GRID):
            # The largest is known best.
            return float(most / np.rint(multiples[-1]))
    return None


def _has_few_levels(layer: Any) -> bool:
    """Whether a quantized layer has a grid of so few levels that weights share values by it."""
    grid = getattr(layer, "quantization", None)
    return isinstance(grid, WeightQuantization) and grid.bits in (4, 2)
