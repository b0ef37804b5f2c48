"""Dense weights of a quantized network, whose scales for each output the converter cannot write."""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.low_bit.few_bits import stored_weights
from tflite_squeeze.emission.low_bit.replaced import Replacement, with_weights
from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.network.quantization.twin import quantized_layers
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.tensor_values import dequantized

Array = NDArray[Any]

# As much further than half a step as a weight may be from where rounding puts it.
_SLACK = 1.02


def with_dense_grids(tflite: bytes, twin: Any, left: Collection[str] = ()) -> bytes:
    """Writes the integers and the scales of a twin's Dense layers.

    Args:
        tflite: the file as the converter made it of the twin.
        twin: the quantized network.
        left: names of layers whose weights the file has in float.

    Returns:
        The file; as it is where the converter found the scales itself.

    Raises:
        UnsupportedError: the file has the weights in another operator.
        InputError: the file is damaged.
    """
    wanted = {
        name: layer
        for name, layer in quantized_layers(twin).items()
        if layer.plain_kind == "Dense" and name not in left and not layer.converter_finds_scales()
    }
    if not wanted:
        return tflite
    stored = [
        (one.values, dequantized(one.values, one.tensor.quantization))
        for one in stored_weights(read_model(tflite), "int8", ("int8", "int16"))
        if one.name == "FULLY_CONNECTED"
    ]
    replacements = []
    for name, layer in wanted.items():
        written = next(_like(layer, stored), None)
        if written is None:
            raise UnsupportedError(
                f"the file has the weights of {name!r} in another operator than FULLY_CONNECTED, "
                f"which the scales of its plan cannot be written for: give it 8 bits"
            )
        replacements.append(_replacement(layer, written))
    return with_weights(tflite, replacements)


def _like(layer: Any, stored: list[tuple[Array, Array]]) -> Iterator[Array]:
    """The integers of a file that are a layer's weights, rounded to other steps.

    Args:
        layer: a Dense layer of a twin.
        stored: (integers, values) of the file's weights.
    """
    kernel = np.asarray(layer.rounded_values()).T
    for values, real in stored:
        if real.shape == kernel.shape:
            steps = np.abs(kernel).max(axis=1, keepdims=True) / 127
            if np.all(np.abs(real - kernel) <= _SLACK * steps / 2 + 1e-12):
                yield values


def _replacement(layer: Any, written: Array) -> Replacement:
    kernel = np.asarray(layer.rounded_values()).T
    scales = np.resize(np.asarray(layer.largest_values()) / layer.quantization.levels, len(kernel))
    return Replacement(
        written=written,
        codes=np.rint(kernel / scales[:, np.newaxis]).astype(np.int8),
        scales=scales,
        bias=np.asarray(layer.bias) if layer.use_bias else None,
    )
