"""A model without the units that go: weights are cut along every axis that has them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.network.graph import Value, is_operation
from tflite_squeeze.network.rewriting import LayerSpec, OperationChange, config_of, rewritten
from tflite_squeeze.techniques.narrowing.channels import Channels
from tflite_squeeze.techniques.narrowing.following import Edit

Array = NDArray[Any]


def cut(model: Any, channels: Channels, stays: Array) -> Any:
    """Removes units from a model.

    Args:
        model: the Keras model that the channels are of.
        channels: of the model.
        stays: (all units,) whether each stays; True for all that no group has, or a fixed one.

    Returns:
        A new, smaller model; weights that stay are as they were.
    """

    def stay(ids: Array) -> Array:
        return np.asarray(stays[channels.numbers[ids]])

    layers, changes = {}, {}
    for key, source in channels.layers.items():
        edit = channels.edits.get(key, Edit())
        # A setting that says the same stays as it was written.
        settings = {
            path: setting(stay)
            for path, setting in edit.settings.items()
            if setting(stay) != setting(_all_stay)
        }
        if is_operation(source):
            changes[key] = OperationChange(
                attributes={path[0]: value for path, value in settings.items()},
                call=edit.call(stay) if edit.call else None,
            )
        elif settings or not all(stays[axis[2]].all() for axis in channels.axes.get(key, ())):
            scales = {index: scale(stay) for index, scale in edit.scales.items()}
            weights = _cut_weights(source, channels, stays, scales)
            config = _open(config_of(source))
            for path, value in settings.items():
                config = _with(config, path, value)
            spec = LayerSpec(kind=type(source), config=config, weights=weights, like=source)
            layers[key] = [spec]
    return rewritten(model, layers, changes)


def _all_stay(ids: Array) -> Array:
    return np.ones(len(ids), bool)


def staying(channels: Channels, value: Value, stays: Array) -> Array:
    """The positions of a tensor's last axis that stay.

    Args:
        channels: of the model.
        value: a tensor of its graph.
        stays: (all units,) whether each stays.
    """
    return np.flatnonzero(stays[channels.units[value]])


def _cut_weights(
    layer: Any, channels: Channels, stays: Array, scales: Mapping[int, float]
) -> tuple[Array, ...]:
    """A layer's weights without what goes, some of them times a factor."""
    weights = list(layer.get_weights())
    for index, axis, units in channels.axes.get(id(layer), ()):
        weights[index] = np.compress(stays[units], weights[index], axis)
    for index, scale in scales.items():
        weights[index] = weights[index] * np.asarray(scale, weights[index].dtype)
    return tuple(weights)


def _open(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration without the shapes for which layers inside were built."""
    return {
        key: {**value, "build_config": None}
        if isinstance(value, dict) and "build_config" in value
        else value
        for key, value in config.items()
    }


def _with(config: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A configuration with another value at the end of a path of keys."""
    key, *rest = path
    inner = _with(config[key], tuple(rest), value) if rest else value
    return {**config, key: inner}
