"""Shared values, counted in the bytes of a file."""

import numpy as np
from pydantic import BaseModel, ConfigDict

from tflite_squeeze.tflite.fields import scales_of, text
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.weights import weights_of


class SharedInFile(BaseModel):
    """What became of a kernel whose weights share values.

    Attributes:
        name: layer and weight in the model.
        tensor: the name of the file's tensor; empty where none was found.
        values: values other than 0 in the model.
        stored: values other than 0 in the file's tensor.
        scales: how many scales that has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
