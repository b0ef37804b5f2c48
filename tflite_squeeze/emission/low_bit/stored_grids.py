"""Kernels of operators that compute in float, stored in the 8 bits of their grid.

Where a plan leaves an activation in float, the operators around it compute in float, with the
kernels of their plan. Behind a DEQUANTIZE these take a quarter of the bytes; the runtime
dequantizes constants once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.low_bit.emit import FEW_WEIGHTS
from tflite_squeeze.emission.low_bit.few_bits import OperatorWeight, distinct_weights
from tflite_squeeze.emission.low_bit.weight_only import behind_dequantize
from tflite_squeeze.network.quantization.twin import quantized_layers, scales_of
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.tidy import tidied

Array = NDArray[Any]


def with_stored_grids(tflite: bytes, twin: Any) -> tuple[bytes, frozenset[str]]:
    """Stores float weights that are on the grid of a twin's layer as its integers.

    Args:
        tflite: the file as the converter made it of the twin.
        twin: the quantized network.

    Returns:
        The file, and the names of the layers whose weights it has in float operators, stored so
        or, where they are few, as they were.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    layers = {name: (_as_in_files(layer), layer) for name, layer in quantized_layers(twin).items()}
    found: set[str] = set()
    changed = False
    for weight in distinct_weights(model, "float32", ("float32",)):
        names = [one for one, (kernel, _) in layers.items() if _equal(weight, kernel)]
        found.update(names)
        if names and weight.values.size >= FEW_WEIGHTS:
            behind_dequantize(model, weight, *_codes(weight, layers[names[0]][1]))
            changed = True
    return (tidied(pack_model(model)) if changed else tflite), frozenset(found)


def _as_in_files(layer: Any) -> Array:
    """A layer's kernel on its grid, outputs first; a depthwise one as it is, outputs last."""
    kernel = np.asarray(layer.rounded_values())
    if layer.depthwise:
        return kernel.reshape(*kernel.shape[:-2], -1)
    if layer.plain_kind.endswith("Transpose"):
        return np.moveaxis(kernel, -2, 0)
    return np.moveaxis(kernel, -1, 0)


def _equal(weight: OperatorWeight, kernel: Array) -> bool:
    """Whether an operator of a file has a kernel, apart from axes of size 1."""
    values = weight.values.reshape([one for one in weight.values.shape if one > 1])
    kernel = kernel.reshape([one for one in kernel.shape if one > 1])
    return values.shape == kernel.shape and np.allclose(values, kernel, rtol=1e-6, atol=0)


def _codes(weight: OperatorWeight, layer: Any) -> tuple[Array, Array]:
    """The integers of a weight, and the scale of each channel."""
    shape = [1] * weight.values.ndim
    shape[weight.axis] = -1
    channels = weight.values.shape[weight.axis]
    scales = np.resize(np.asarray(scales_of(layer), np.float32), channels)
    return np.rint(weight.values / scales.reshape(shape)).astype(np.int8), scales
