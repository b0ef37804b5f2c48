"""Which kernels of a Keras model share few values, in the form in which a file holds them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.quantization.kept import values_shared
from tflite_squeeze.network.quantization.plan import WeightQuantization
from tflite_squeeze.network.weights import select


@dataclass(frozen=True, kw_only=True)
class SharedKernel:
    """A kernel whose weights share few values.

    Attributes:
        name: layer and weight.
        matrix: (outputs, inputs), float64, inputs in the file's order.
        values: how many values other than 0 there are.
    """

    name: str
    matrix: NDArray[np.float64]
    values: int


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
        if (values := values_shared(weights)) and not own:
            matrix = target.matrix(weights).astype(np.float64)
            found.append(SharedKernel(name=target.name, matrix=matrix, values=values))
    return found


def _has_few_levels(layer: Any) -> bool:
    """Whether a quantized layer has a grid of so few levels that weights share values by it."""
    grid = getattr(layer, "quantization", None)
    return isinstance(grid, WeightQuantization) and grid.bits in (4, 2)
