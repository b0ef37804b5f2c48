"""`Prunable(layer, Prune(...))`: how one layer is to be pruned, said where the model is defined."""

from typing import Any

from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.flavors import Flavor, flavor_of, known_flavor
from tflite_squeeze.network.prunable_layer import prunable_class
from tflite_squeeze.network.unwrapping import unwrapped
from tflite_squeeze.techniques.pruning.config import Prune

# Both Kerases know the class once this module is imported, so that saved models load.
for _flavor in Flavor:
    prunable_class(_flavor)


def Prunable(layer: Any, config: Prune, **options: Any) -> Any:  # noqa: N802  # reads as a layer
    """Wraps a layer of a model definition with pruning settings of its own.

    The wrapper computes what the layer computes. It takes effect in training with
    `PruningCallback`, or in `prune`: for this layer, its sparsity, threshold, score and granularity
    then hold rather than those given there, and it is pruned whatever `only` and `protect` say;
    the steps are those of the callback's schedule. `Prune(sparsity=0.0)` keeps the layer dense.
    In a `fit` without the callback nothing is pruned, and nobody says so.

    Args:
        layer: a layer of either Keras.
        config: how it is to be pruned. Its schedule is not used.
        options: what every Keras layer takes, such as `name`.

    Returns:
        A layer of the same Keras, which is saved and loaded with the model.

    Raises:
        UsageError: it is no Keras layer, or the config names other layers.

    Example:
        >>> model = keras.Sequential([Prunable(keras.layers.Dense(10), Prune(sparsity=0.9))])
    """
    flavor = flavor_of(layer)
    if flavor is None:
        raise UsageError(f"{type(layer).__name__} is not a Keras layer: wrap one")
    if config.only or config.protect or config.layers:
        raise UsageError(
            f"the config of layer {layer.name!r} names layers in only, protect or layers: a "
            f"Prunable is for its own layer, leave them out"
        )
    return prunable_class(flavor)(layer, config.model_dump_json(exclude_defaults=True), **options)


def strip(model: Any) -> Any:
    """Takes the wrappers off: `Prunable`, and those of TensorFlow Model Optimization.

    Args:
        model: a Keras model of either flavour.

    Returns:
        A new model of the layers inside, with their names and weights; the model itself where
        there was no wrapper. A loss is kept, optimiser and metrics are not.

    Raises:
        UsageError: it is not a Keras model.
        InputError: it cannot be rebuilt (subclassed).

    Example:
        >>> strip(model).save("pruned.keras")
    """
    known_flavor(model)
    return unwrapped(model)
