"""The layers of a Keras model, of either flavour, one record each."""

from typing import Any

import numpy as np

from tflite_squeeze.inspection.record import LayerRecord
from tflite_squeeze.network.layer_macs import Shape, layer_macs
from tflite_squeeze.tflite.graph import WeightRecord


def layer_record(layer: Any) -> LayerRecord:
    """Describes one layer of a built model.

    Args:
        layer: a Keras layer of either flavour.
    """
    output = tensor_shape(layer, "output")
    weights = [_weight(variable) for variable in layer.weights]
    return LayerRecord(
        name=layer.name,
        kind=type(layer).__name__,
        output=output,
        parameters=sum(int(np.prod(weight.shape)) for weight in weights),
        weights_bytes=sum(weight.stored_bytes for weight in weights),
        macs=layer_macs(layer, tensor_shape(layer, "input"), output),
        weights=tuple(sorted(weights, key=lambda weight: -weight.stored_bytes)),
    )


def tensor_shape(layer: Any, side: str) -> Shape:
    """The shape of a layer's first symbolic input or output, -1 where it is open.

    Args:
        layer: a Keras layer of either flavour.
        side: "input" or "output".

    Returns:
        The shape; None in a subclassed model, which has no symbolic tensors.
    """
    tensors = symbolic(layer, side)
    if not tensors:
        return None
    return tuple(-1 if size is None else int(size) for size in tensors[0].shape)


def symbolic(layer: Any, side: str) -> list[Any]:
    """A layer's symbolic inputs or outputs; empty where it was never called on any.

    Args:
        layer: a Keras layer of either flavour.
        side: "input" or "output".
    """
    import tensorflow as tf

    try:
        return list(tf.nest.flatten(getattr(layer, side)))
    except (AttributeError, ValueError, RuntimeError):  # never called, or called several times
        nodes = getattr(layer, "_inbound_nodes", [])
        found = getattr(nodes[0], f"{side}_tensors", None) if nodes else None
        return [] if found is None else list(tf.nest.flatten(found))


def _weight(variable: Any) -> WeightRecord:
    values = np.asarray(variable.numpy())
    return WeightRecord(
        name=variable.name,
        shape=tuple(values.shape),
        dtype=values.dtype.name,
        stored_bytes=values.nbytes,
        zeros=int(np.count_nonzero(values == 0)) if values.dtype.kind in "biufc" else 0,
        distinct=len(np.unique(values)) if values.dtype.kind in "biufc" else 0,
    )
