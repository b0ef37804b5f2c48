"""Layers that are low-rank from the start, and the ways from them to plain layers."""

from typing import Any

import numpy as np

from tflite_squeeze.network import flavors
from tflite_squeeze.network.factorized_layers import NAMES, factorized_class
from tflite_squeeze.network.flavors import Flavor
from tflite_squeeze.network.rewriting import LayerSpec, graph_layers, rewritten
from tflite_squeeze.techniques.low_rank.factor_schemes import recomposed

# Both Kerases know the classes once this module is imported, so that saved models load.
for _flavor in Flavor:
    for _name in NAMES:
        factorized_class(_name, _flavor)


def FactorizedDense(  # noqa: N802  # reads as a layer
    units: int, rank: int, *, keras: Any = None, **options: Any
) -> Any:
    """A Dense whose kernel is a product of inputs x rank and rank x units.

    Args:
        units: outputs.
        rank: of the kernel. It saves where rank · (inputs + units) < inputs · units.
        keras: the module of the Keras that the layer is for, `keras` or `tf_keras`; None for
            Keras 3.
        options: what Dense takes.

    Returns:
        A layer, which is saved and loaded with the model.

    Raises:
        UsageError: the rank is no whole number from 1 on.

    Example:
        >>> model = keras.Sequential([keras.Input((784,)), FactorizedDense(300, rank=16)])
    """
    return _class("FactorizedDense", keras)(units, rank, **options)


def FactorizedConv2D(  # noqa: N802  # reads as a layer
    filters: int,
    kernel_size: Any,
    rank: Any,
    scheme: str = "spatial",
    *,
    keras: Any = None,
    **options: Any,
) -> Any:
    """A Conv2D whose kernel is that of a chain of two or three smaller convolutions.

    Args:
        filters: output channels.
        kernel_size: as for Conv2D.
        rank: channels between the two; for "tucker" a pair, of inputs and outputs.
        scheme: "spatial" (k x 1, 1 x k), "channel" (k x k, 1 x 1) or "tucker" (1 x 1, k x k,
            1 x 1).
        keras: as in `FactorizedDense`.
        options: what Conv2D takes; no groups.

    Returns:
        A layer, which is saved and loaded with the model.

    Raises:
        UsageError: rank and scheme do not fit together.

    Example:
        >>> layer = FactorizedConv2D(64, 3, rank=16, padding="same", activation="relu")
    """
    return _class("FactorizedConv2D", keras)(filters, kernel_size, rank, scheme, **options)


def _class(name: str, keras: Any) -> Any:
    return factorized_class(name, Flavor.KERAS if keras is None else Flavor(keras.__name__))


def merge(model: Any) -> Any:
    """Multiplies factors back: each FactorizedDense and FactorizedConv2D becomes one plain layer.

    Args:
        model: a Keras model of either flavour, with a graph of layers.

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
        model, {id(layer): way(layer) for layer in layers if type(layer).__name__ in NAMES}
    )


def _merged(layer: Any) -> tuple[LayerSpec, ...]:
    kernels = [np.asarray(one.kernel, np.float64) for one in layer.chain]
    if type(layer).__name__ == "FactorizedDense":
        whole = kernels[0] @ kernels[1]
    else:
        whole = recomposed(tuple(kernels))
    bias = [np.asarray(layer.chain[-1].bias)] if layer.chain[-1].use_bias else []
    kind = type(layer).__name__.removeprefix("Factorized")
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
