"""What a layer keeps: weights, flags, states of random numbers, statistics, vocabularies."""

from typing import Any

import numpy as np

from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.network import flavors
from tflite_squeeze.network.flavors import Flavor
from tflite_squeeze.network.variables import raw_variable


def carry_state(old: Any, new: Any, *, weights: bool = True) -> None:
    """Gives an equal layer all that another keeps.

    Args:
        old: the other layer.
        new: the layer, built where the other is.
        weights: whether the weights too, or only what stands beside them.
    """
    pairs = [(old, new), *zip(flavors.walk_layers(old), flavors.walk_layers(new), strict=True)]
    for one, other in pairs:
        same_flag(one.trainable, other)
    if weights and old.weights:
        new.set_weights(old.get_weights())
    for one, other in zip(_seeds(old), _seeds(new), strict=True):
        other.assign(np.asarray(one))
    for one, other in pairs:
        carry_tables(one, other)


def _seeds(layer: Any) -> list[Any]:
    """The states of a layer's random numbers."""
    if flavors.flavor_of(layer) is Flavor.KERAS:
        weights = {id(one) for one in layer.weights}
        return [raw_variable(one) for one in layer.variables if id(one) not in weights]
    found = []
    for one in (layer, *flavors.walk_layers(layer)):
        generator: Any = getattr(getattr(one, "_random_generator", None), "_generator", None)
        if generator is not None:
            found.append(generator.state)
    return found


def carry_tables(old: Any, new: Any) -> None:
    """What one layer alone learnt by `adapt`, or keeps in a way of its own."""
    if hasattr(old, "get_vocabulary"):
        _carry_vocabulary(old, new)
    elif hasattr(old, "adapt_mean"):
        new.finalize_state()  # from the weights
    elif hasattr(old, "bin_boundaries"):
        new.bin_boundaries, own = old.bin_boundaries, getattr(old, "summary", None)
        if isinstance(own, np.ndarray):
            new.summary = own
    elif not is_of_keras(type(old).load_own_variables):
        store: dict[str, Any] = {}
        old.save_own_variables(store)
        new.load_own_variables(store)
    if hasattr(old, "save_assets") and not is_of_keras(type(old).save_assets):
        with temporary_folder() as folder:
            old.save_assets(str(folder))
            new.load_assets(str(folder))


def is_of_keras(one: Any) -> bool:
    """Whether a class, method or function is one of Keras or TensorFlow, not of someone's own."""
    package = (one.__module__ or "").split(".")[0]
    return package in ("builtins", "tensorflow", *Flavor)


def _carry_vocabulary(old: Any, new: Any) -> None:
    table = getattr(old, "_lookup_layer", old)
    if table.input_vocabulary is not None or table.vocabulary_size() <= table._token_start_index():
        return
    weights = {}
    if table.output_mode == "tf_idf":
        weights = {"idf_weights": np.asarray(table.idf_weights_const)}
    new.set_vocabulary(old.get_vocabulary(), **weights)


def same_flag(trainable: bool, made: Any) -> None:
    """Sets whether a layer trains, where it differs: it is set for all layers inside too."""
    if made.trainable != trainable:
        made.trainable = trainable


def set_policy(layer: Any, policy: Any) -> None:
    """Sets the dtype policy of a layer of either version of Keras."""
    if flavors.flavor_of(layer) is Flavor.KERAS:
        layer.dtype_policy = policy
    else:
        layer._set_dtype_policy(policy)
