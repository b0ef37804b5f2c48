"""The weights of a `.tflite` file as a Keras model of unconnected layers, and back into the file.

What changes weights one by one needs no graph, so that it works on files whose operators have no
Keras layer, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import UsageError
from tflite_squeeze.foreign.onnx.graph import plain_name
from tflite_squeeze.rebuilding.names import short_names
from tflite_squeeze.tflite.edits import new_buffer
from tflite_squeeze.tflite.fields import text
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.tensor_values import tensor_values

Array = NDArray[Any]

_SLOTS = {
    "CONV_2D": (1,),
    "DEPTHWISE_CONV_2D": (1,),
    "TRANSPOSE_CONV": (1,),
    "FULLY_CONNECTED": (1,),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": tuple(range(1, 9)),
}

# Where Keras has the axis that is first in the file, of 1 in depthwise kernels.
_OUTPUT_AXIS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "TRANSPOSE_CONV": 2}


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A weight of a file.

    Attributes:
        layer: the name of its layer in the Keras model.
        kind: the operator that reads it.
        subgraph: where it is.
        operator: the first that reads it, by index.
        tensor: its index.
        values: as the file has them.
    """

    layer: str
    kind: str
    subgraph: int
    operator: int
    tensor: int
    values: Array

    @property
    def keras_values(self) -> Array:
        """In Keras' order: the outputs last."""
        outputs = _OUTPUT_AXIS.get(self.kind, 1)
        return np.moveaxis(self.values, 0, outputs)

    def stored(self, values: Array) -> Array:
        """The inverse of `keras_values`."""
        outputs = _OUTPUT_AXIS.get(self.kind, 1)
        return np.moveaxis(values, outputs, 0)


def kernels_of(tflite: bytes) -> list[Kernel]:
    """The float matrices and filters of a file.

    Args:
        tflite: a file in float32.

    Raises:
        InputError: it is damaged.
    """
    found = list(_places(read_model(tflite)))
    names = [plain_name(name) for name in short_names([name for *_, name in found])]
    return [
        Kernel(layer=layer, kind=kind, subgraph=subgraph, operator=at, tensor=tensor, values=values)
        for layer, (kind, subgraph, at, tensor, values, _) in zip(names, found, strict=True)
    ]


def _places(model: Any) -> Iterator[tuple[str, int, int, int, Array, str]]:
    seen = set[int]()
    for subgraph in range(len(model.subgraphs)):
        links = Links(model, subgraph)
        for at, kind in enumerate(links.names):
            given = [int(one) for one in links.graph.operators[at].inputs]
            for slot in _SLOTS.get(kind, ()):
                tensor = given[slot] if slot < len(given) else -1
                if tensor < 0 or links.dtype(tensor) != "float32":
                    continue
                values = tensor_values(model, subgraph, tensor)
                buffer = links.graph.tensors[tensor].buffer
                if values is None or values.ndim not in (2, 4) or buffer in seen:
                    continue
                seen.add(buffer)
                name = text(links.graph.tensors[links.outputs(at)[0]].name)
                yield kind, subgraph, at, tensor, values, name


def weights_model(kernels: list[Kernel], name: str) -> Any:
    """A Keras model with a layer for each weight, each with an input and an output of its own.

    Args:
        kernels: of a file.
        name: of the model.

    Raises:
        UsageError: there are none.
    """
    if not kernels:
        raise UsageError(f"{name}.tflite has no float matrix or filter: give a float file")
    inputs, outputs = [], []
    for kernel in kernels:
        values = kernel.keras_values
        layer, shape = _layer(kernel, values)
        given = keras.Input(shape)
        inputs.append(given)
        outputs.append(layer(given))
        layer.set_weights([values])
    return keras.Model(inputs, outputs, name=plain_name(name))


def _layer(kernel: Kernel, values: Array) -> tuple[Any, tuple[int, ...]]:
    """The layer of a weight, and the shape of what it takes."""
    how = {"use_bias": False, "name": kernel.layer}
    if values.ndim == 2:
        return keras.layers.Dense(values.shape[1], **how), (values.shape[0],)
    height, width, channels, outputs = values.shape
    if kernel.kind == "DEPTHWISE_CONV_2D":
        layer = keras.layers.DepthwiseConv2D((height, width), depth_multiplier=outputs, **how)
        return layer, (height, width, channels)
    if kernel.kind == "TRANSPOSE_CONV":
        layer = keras.layers.Conv2DTranspose(channels, (height, width), **how)
        return layer, (1, 1, outputs)
    layer = keras.layers.Conv2D(outputs, (height, width), **how)
    return layer, (height, width, channels)


def with_weights(tflite: bytes, kernels: list[Kernel], model: Any) -> bytes:
    """The file with the weights of a Keras model.

    Args:
        tflite: the file.
        kernels: its weights.
        model: what became of `weights_model`.
    """
    changed = read_model(tflite)
    for kernel in kernels:
        (values,) = model.get_layer(kernel.layer).get_weights()
        tensor = changed.subgraphs[kernel.subgraph].tensors[kernel.tensor]
        shared = tensor.buffer
        fresh = new_buffer(changed, np.ascontiguousarray(kernel.stored(values), np.float32))
        for graph in changed.subgraphs:
            for other in graph.tensors:
                if other.buffer == shared:
                    other.buffer = fresh
    return pack_model(changed)
