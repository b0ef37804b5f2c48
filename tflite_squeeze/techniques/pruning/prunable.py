"""`Prunable(layer, Prune(...))`: how one layer is to be pruned, set in the model."""

from abc import ABC
from typing import Any

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.flavors import Flavor, flavor_of
from tflite_squeeze.network.prunable_layer import PrunableLayer
from tflite_squeeze.network.unwrapping import unwrapped
from tflite_squeeze.rebuilding.layers import model_of
from tflite_squeeze.techniques.pruning.config import Prune

# Both versions of Keras know the class once this module is imported, so that saved models load.
for _flavor in Flavor:
    PrunableLayer.in_version(_flavor)


class Prunable(ABC):  # noqa: B024  # calling it makes a layer of a registered class
    """Wraps a layer of a model definition with pruning settings of its own.

    The wrapper computes what the layer computes; it is a layer of the same version of Keras, and
    is saved and loaded with the model. It takes effect in training with `PruningCallback`, or in
    `prune`: for this layer, its sparsity, threshold, score and granularity then hold rather than
    those given there, and it is pruned whatever `only` and `protect` contain; the steps are those
    of the callback's schedule. `Prune(sparsity=0.0)` keeps the layer dense. In a `fit` without the
    callback nothing is pruned, and there is no warning.

    Args:
        layer: a layer of either version of Keras.
        config: how it is to be pruned. Its schedule is not used.
        options: what every Keras layer takes, such as `name`.

    Raises:
        UsageError: it is no Keras layer, or the config names other layers.

    Example:
        >>> model = keras.Sequential([Prunable(keras.layers.Dense(10), Prune(sparsity=0.9))])
    """

    def __new__(cls, layer: Any, config: Prune, **options: Any) -> Any:  # noqa: D102  # above
        # The layer's class, which loading needs too, knows the config as text only.
        if flavor_of(layer) is None:
            raise UsageError(f"{type(layer).__name__} is not a Keras layer: wrap one")
        if config.only or config.protect or config.layers:
            raise UsageError(
                f"the config of layer {layer.name!r} names layers in only, protect or layers: a "
                f"Prunable is for its own layer, leave them out"
            )
        return PrunableLayer(layer, config.model_dump_json(exclude_defaults=True), **options)


Prunable.register(PrunableLayer)


def strip(model: Any) -> Any:
    """Takes the wrappers off: `Prunable`, and those of TensorFlow Model Optimization.

    Args:
        model: a Keras model of either version, a path to one, or a `LoadedModel`.

    Returns:
        A new model of the layers inside, with their names and weights; the model itself where
        there was no wrapper. It is compiled as the model is.

    Raises:
        UsageError: it is not a Keras model.
        InputError: it cannot be rebuilt (subclassed).

    Example:
        >>> strip(model).save("pruned.keras")
    """
    return unwrapped(model_of(model, keep_prunable=True)[0])
