"""How large a binary network is where each weight takes the bits that it needs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network import flavors

_NORM_NUMBERS = 2  # a factor and an offset per channel is all that is left of normalisation


def quantised_weights(model: Any) -> dict[str, tuple[NDArray[Any], int]]:
    """The quantized kernels of Larq's layers: values and bits each, by layer and kernel."""
    found = {}
    for layer in flavors.walk_layers(model):
        for prefix in ("kernel", "depthwise", "pointwise"):
            quantizer = getattr(layer, f"{prefix}_quantizer", None)
            variable = getattr(layer, prefix if prefix == "kernel" else f"{prefix}_kernel", None)
            if quantizer is None or variable is None:
                continue
            latent = getattr(variable, "latent_variable", variable)
            bits = int(getattr(quantizer, "precision", 32))
            found[f"{layer.name}/{prefix}"] = (np.asarray(quantizer(latent)), bits)
    return found


def packed_bytes(model: Any) -> int:
    """What a model's weights take where each binary one is a bit, and the others are float32."""
    quantised = quantised_weights(model).values()
    bits = sum(values.size * width for values, width in quantised)
    others = stored_numbers(model) - sum(values.size for values, _ in quantised)
    return -(-bits // 8) + 4 * others


def stored_numbers(model: Any) -> int:
    """How many numbers of a model a file needs: normalisation is one product and one sum there."""
    total = int(model.count_params())
    for layer in flavors.walk_layers(model):
        if type(layer).__name__ == "BatchNormalization" and layer.weights:
            channels = int(layer.weights[0].shape[0])
            total -= (len(layer.weights) - _NORM_NUMBERS) * channels
    return total
