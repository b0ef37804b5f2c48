"""The real values of the constants that a file's operators read, from its form in float."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.tensor_values import tensor_values

Array = NDArray[Any]

_HALF = 0.51  # a step, and a little for the float32 of its scale


@dataclass(frozen=True)
class FloatConstants:
    """The constants of a file in float, which are found by values that are nearly the same.

    Attributes:
        tflite: the file.
    """

    tflite: bytes

    @cached_property
    def _by_shape(self) -> dict[tuple[int, ...], list[Array]]:
        model = read_model(self.tflite)
        found: dict[tuple[int, ...], list[Array]] = {}
        for subgraph in range(len(model.subgraphs)):
            links = Links(model, subgraph)
            for tensor in range(len(links.graph.tensors)):
                if links.dtype(tensor) == "float32" and links.data_bytes(tensor):
                    values = tensor_values(model, subgraph, tensor)
                    if values is not None:
                        found.setdefault(values.shape, []).append(values.astype(np.float64))
        return found

    def nearest(self, rounded: Array, steps: Array | float) -> Array:
        """What was rounded.

        Args:
            rounded: values on a grid.
            steps: of the grid, one or as many as there are values on the last axis.

        Returns:
            The constant that is nearest and no farther than half a step from each value; the
            rounded values where there is none.

        Example:
            >>> FloatConstants(tflite).nearest(np.asarray([0.25, 0.5]), 0.25)
            array([0.2, 0.6])
        """
        best, least = rounded, np.inf
        for values in self._by_shape.get(rounded.shape, []):
            apart = float(np.max(np.abs(values - rounded) / steps, initial=0.0))
            if apart <= _HALF and apart < least:
                best, least = values, apart
        return best
