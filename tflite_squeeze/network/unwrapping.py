"""Models rebuilt without the wrappers that pruning has put around their layers."""

from typing import Any

from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network import tfmot
from tflite_squeeze.network.both_versions import PACKAGE, BothVersions
from tflite_squeeze.network.factorized_layers import LAYERS
from tflite_squeeze.network.flavors import Flavor, flavor_of, walk_layers
from tflite_squeeze.network.prunable_layer import PrunableLayer
from tflite_squeeze.network.quantization.layers import LAYERS as QUANTIZED
from tflite_squeeze.network.rewriting import LayerSpec, changed, graph_layers, rewritten

WRAPPERS = {
    tfmot.NAME: "TensorFlow Model Optimization's pruning wrappers",
    PrunableLayer.keras_name: "Prunable wrappers",
}


def custom_objects(flavor: Flavor, config: str) -> dict[str, Any]:
    """Classes of this package that a Keras needs to load a model.

    Args:
        flavor: the Keras.
        config: the model's configuration, as it is in the file.

    Returns:
        Classes by every name that a file may give them.
    """
    found: dict[str, Any] = {}
    ours: list[type[BothVersions]] = [PrunableLayer, *LAYERS.values(), *QUANTIZED.values()]
    for own in ours:
        # HDF5 files hold the registered name alone, where .keras files hold both.
        names = (own.keras_name, f"{PACKAGE}>{own.keras_name}")
        if any(f'"{each}"' in config for each in names):
            found |= dict.fromkeys(names, own.in_version(flavor))
    if flavor is Flavor.KERAS and f'"{PACKAGE}>' in config:
        from tflite_squeeze.foreign.layers import LAYERS as FOREIGN

        found |= {f"{PACKAGE}>{name}": layer for name, layer in FOREIGN.items()}
    if f'"{tfmot.NAME}"' in config and flavor is Flavor.TF_KERAS:
        found[tfmot.NAME] = tfmot.stand_in()
    return found


def is_wrapper(layer: Any) -> bool:
    """Whether a layer only wraps another for pruning; told by the name of its class."""
    return type(layer).__name__ in WRAPPERS and flavor_of(getattr(layer, "layer", None)) is not None


def wrappers_in(model: Any) -> tuple[str, ...]:
    """What kinds of wrappers a model has, by the names of their classes."""
    kinds = [type(layer).__name__ for layer in walk_layers(model) if is_wrapper(layer)]
    return tuple(dict.fromkeys(kinds))


def plain(model: Any, *, keep_prunable: bool = False) -> tuple[Any, tuple[str, ...]]:
    """A model without wrappers, and a note where there were any.

    Args:
        model: a Keras model of either version.
        keep_prunable: whether `Prunable` wrappers stay where there are no others.

    Returns:
        (model, notes). A model that cannot be rebuilt keeps its wrappers, which compute what the
        layers inside compute; the note then says why.
    """
    kinds = wrappers_in(model)
    if not kinds or (keep_prunable and kinds == (PrunableLayer.keras_name,)):
        return model, ()
    try:
        told = " and ".join(WRAPPERS[kind] for kind in kinds)
        return unwrapped(model), (f"{told} were taken off the layers",)
    except InputError as error:
        return model, (str(error),)


def unwrapped(model: Any) -> Any:
    """The same model without wrappers: equal weights and outputs, the layers' own names.

    Args:
        model: a Keras model of either version.

    Returns:
        A new model where there was a wrapper, compiled as it was, else the model itself.

    Raises:
        InputError: the model was not built from a graph of layers, or not built at all.
    """
    if not wrappers_in(model):
        return model
    try:
        standing, _ = graph_layers(model)
        made = rewritten(
            model, {id(layer): _taken_off(layer) for layer in standing if is_wrapper(layer)}
        )
    except UsageError as error:
        raise InputError(
            f"model {model.name!r} cannot be rebuilt without its pruning wrappers: {error}"
        ) from error
    if wrappers_in(made):
        raise InputError(
            f"model {model.name!r} cannot be rebuilt without its pruning wrappers: a layer of its "
            f"own type holds them"
        )
    return made


def _taken_off(wrapper: Any) -> tuple[LayerSpec, ...]:
    if type(wrapper).__name__ == tfmot.NAME:
        tfmot.apply_masks(wrapper)
    return (changed(wrapper.layer),)
