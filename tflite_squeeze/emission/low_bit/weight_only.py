"""Weights in 8 bits followed by a DEQUANTIZE: fewer bytes, the same outputs.

The runtime dequantizes constant weights once, on its first run, so that inputs stay in float: a
binary network whose signs decide everything gives the same signs.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tflite_squeeze.emission.low_bit.emit import FEW_WEIGHTS
from tflite_squeeze.emission.low_bit.few_bits import (
    OperatorWeight,
    Stored,
    float_weights,
    store,
)
from tflite_squeeze.tflite.edits import consumers, new_operator, new_tensor, place_of, read_instead
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.tidy import tidied

_DEQUANTIZE_VERSIONS: dict[Stored, int] = {"int8": 2, "int4": 6, "int2": 6}


def with_stored_weights(tflite: bytes, *, rounded: bool = False) -> tuple[bytes, tuple[str, ...]]:
    """Stores float weights in 8 bits where that changes no number, or where requested.

    Args:
        tflite: a file.
        rounded: whether all other large weights are rounded to 8 bits too.

    Returns:
        The new file, and a note per kind of weight that changed.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> smaller, notes = with_stored_weights(tflite)
    """
    model = read_model(tflite)
    exact = other = 0
    for weight in list(float_weights(model)):
        if weight.scale is not None:
            codes, scales = np.sign(weight.values).astype(np.int8), weight.scale
            exact += 1
        elif rounded and weight.values.size >= FEW_WEIGHTS:
            codes, scales = weight.rounded()
            other += 1
        else:
            continue
        behind_dequantize(model, weight, codes, scales)
    if not exact + other:
        return tflite, ()
    notes = []
    if exact:
        notes.append(f"{exact} kernels of two or three values are stored in 8 bits, exactly")
    if other:
        notes.append(f"{other} float kernels are rounded to 8 bits each, inputs stay in float")
    return tidied(pack_model(model)), tuple(notes)


def behind_dequantize(
    model: Any, weight: OperatorWeight, codes: Any, scales: Any, kind: Stored = "int8"
) -> None:
    """Stores a float weight in few bits; its operators read what a DEQUANTIZE makes of them.

    Args:
        model: the schema's object model; changed in place.
        weight: which; it may be read by several operators.
        codes: signed integers of the weight's shape.
        scales: (channels,).
        kind: the type in which codes are stored.
    """
    graph = weight.graph
    first = consumers(graph, weight.index)[0]
    read = new_tensor(graph, weight.index, weight.values.shape)
    store(model, weight, codes, scales, kind)
    read_instead(graph, weight.index, read)
    added = new_operator(
        model,
        "DEQUANTIZE",
        [weight.index],
        [read],
        schema.DequantizeOptionsT(),
        version=_DEQUANTIZE_VERSIONS[kind],
    )
    graph.operators.insert(place_of(graph, first), added)
