"""Shared values, counted in the bytes of a file."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tflite.fields import scales_of, text
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.weights import weights_of

if TYPE_CHECKING:  # so that a record can be read where no Keras is loaded
    from tflite_squeeze.emission.shared_values.kernels import SharedKernel


class SharedInFile(Frozen):
    """How the file stores a kernel whose weights share values.

    Attributes:
        name: layer and weight in the model.
        tensor: the name of the file's tensor; empty where none was found.
        values: values other than 0 in the model.
        stored: values other than 0 in the file's tensor.
        scales: how many scales that has.
    """

    name: str
    tensor: str
    values: int
    stored: int
    scales: int

    @property
    def kept(self) -> bool:
        """Whether the file has no more values than the model."""
        return bool(self.tensor) and self.stored <= self.values


def stored_values(tflite: bytes) -> dict[str, tuple[int, int]]:
    """How many values other than 0 each tensor of weights holds, counted in the bytes.

    Args:
        tflite: the file's content.

    Returns:
        (values, scales) by the tensor's name; packed single bits are left out.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> stored_values(tflite)["dense_300/kernel"]
        (16, 1)
    """
    model = read_model(tflite)
    counts = {}
    for weight in weights_of(model):
        if weight.values is not None:
            subgraph, index = weight.place
            tensor = model.subgraphs[subgraph].tensors[index]
            distinct = len(np.unique(weight.values[weight.values != 0]))
            counts[text(tensor.name)] = (distinct, len(scales_of(tensor)))
    return counts


def shared_in_file(
    tflite: bytes, kernels: Sequence["SharedKernel"], tensors: Mapping[str, str]
) -> tuple[SharedInFile, ...]:
    """Counts, in the bytes, the values of every kernel that shares some.

    Args:
        tflite: the file as it will be saved.
        kernels: those of its model that share values.
        tensors: the tensor of each that was found in the file.

    Raises:
        InputError: the file is damaged.
    """
    counts = stored_values(tflite) if kernels else {}
    found = []
    for kernel in kernels:
        tensor = tensors.get(kernel.name, "")
        stored, scales = counts.get(tensor, (0, 0))
        found.append(
            SharedInFile(
                name=kernel.name,
                tensor=tensor if tensor in counts else "",
                values=kernel.values,
                stored=stored,
                scales=scales,
            )
        )
    return tuple(found)
