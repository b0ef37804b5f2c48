"""Which kernels of a Keras model share few values, in the form in which a file holds them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.network.weights import select

# int8 cannot tell more values apart.
_MOST_VALUES = 255
# Where weights are few, they are no values that are shared but just few.
_MEMBERS_PER_VALUE = 4


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


def values_shared(weights: NDArray[Any]) -> int:
    """How many values other than 0 the weights of a kernel share; 0 where they share none.

    Args:
        weights: of any shape.

    Example:
        >>> values_shared(np.array([0.5, 0.5, 0.5, 0.5, 0.0]))
        1
    """
    members = weights[weights != 0]
    values = len(np.unique(members)) if members.size else 0
    return values if values <= min(_MOST_VALUES, members.size // _MEMBERS_PER_VALUE) else 0


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
        if values := values_shared(weights):
            matrix = target.matrix(weights).astype(np.float64)
            found.append(SharedKernel(name=target.name, matrix=matrix, values=values))
    return found
