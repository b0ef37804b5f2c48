"""Layers that are low-rank from the start, and the ways from them to plain layers."""

from typing import Any

import numpy as np

from tflite_squeeze.network import flavors
from tflite_squeeze.network.factorized_layers import LAYERS, Factorized
from tflite_squeeze.network.factorized_layers import FactorizedConv2D as FactorizedConv2D
from tflite_squeeze.network.factorized_layers import FactorizedDense as FactorizedDense
from tflite_squeeze.network.flavors import Flavor
from tflite_squeeze.network.rewriting import LayerSpec, graph_layers, rewritten
from tflite_squeeze.techniques.low_rank.factor_schemes import recomposed

# Both versions of Keras know the classes once this module is imported, so that saved models load.
for _flavor in Flavor:
    for _layer in LAYERS.values():
        _layer.in_version(_flavor)


def merge(model: Any) -> Any:
    """Multiplies factors back: each FactorizedDense and FactorizedConv2D becomes one plain layer.

    Args:
        model: a Keras model of either version, with a graph of layers.

    Returns:
        A new model with equal outputs, of standard Keras layers, compiled as the model is.

    Raises:
        UsageError: the model is subclassed, or cannot be rebuilt.

    Example:
        >>> merge(model).save("merged.keras")
    """
    return _converted(model, _merged)


def unfold(model: Any) -> Any:
    """Writes factors as plain layers: each FactorizedDense becomes two Dense, and so on.

    Args:
        model: as in `merge`.

    Returns:
        A new model with equal outputs and the same factors, of standard Keras layers.

    Raises:
        UsageError: as `merge`.

    Example:
        >>> unfold(model).save("factors.keras")
    """
    return _converted(model, _unfolded)


def _converted(model: Any, way: Any) -> Any:
    flavors.known_flavor(model)
    layers, _ = graph_layers(model)
    return rewritten(
        model, {id(layer): way(layer) for layer in layers if isinstance(layer, Factorized)}
    )


def _merged(layer: Any) -> tuple[LayerSpec, ...]:
    kernels = [np.asarray(one.kernel, np.float64) for one in layer.chain]
    if isinstance(layer, FactorizedDense):
        whole = kernels[0] @ kernels[1]
    else:
        whole = recomposed(tuple(kernels))
    bias = [np.asarray(layer.chain[-1].bias)] if layer.chain[-1].use_bias else []
    kind = layer.keras_name.removeprefix("Factorized")
    return (LayerSpec(kind=kind, config=layer.whole_config(), weights=(whole, *bias)),)


def _unfolded(layer: Any) -> tuple[LayerSpec, ...]:
    return tuple(
        LayerSpec(
            kind=type(one).__name__,
            config=one.get_config(),
            weights=tuple(one.get_weights()),
        )
        for one in layer.chain
    )
