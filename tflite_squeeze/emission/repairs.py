"""Repairs of what TensorFlow's converter gets wrong in a graph that runs all the same."""

import copy
from typing import Any

import numpy as np

from tflite_squeeze.tflite.edits import new_operator, new_tensor, producer, read_instead
from tflite_squeeze.tflite.fields import dtype_name, integers, operator_name, text, zero_points_of
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.structure import SharedState, UnequalScale, shared_states, unequal_scales


def repaired(tflite: bytes) -> bytes:
    """A file in which no state is shared, and no operator moves integers between scales.

    The converter merges equal constants: the zeros from which one layer starts, and which a
    fused LSTM takes for its own state and overwrites. Each user gets its own. An operator behind
    that needs equal scales (a concatenation) makes the converter change the scale of a moved
    tensor without changing the numbers: they are rescaled before they are moved.

    Args:
        tflite: the file.

    Returns:
        The repaired file; the same bytes when nothing had to change.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> repaired(tflite) == tflite
        True
    """
    model = read_model(tflite)
    changed = False
    for subgraph in range(len(model.subgraphs)):
        links = Links(model, subgraph)
        states, moved = list(shared_states(links)), list(unequal_scales(links))
        for state in states:
            _separate(model, links.graph, state)
        # From the back, so that the places of the operators in front stay.
        for one in sorted(moved, key=lambda one: (one.operator, one.slot), reverse=True):
            _rescale(model, links.graph, one)
        changed |= bool(states or moved)
    return pack_model(model) if changed else tflite


def without_marks(tflite: bytes, mark: str) -> bytes:
    """A file without operators that only kept the converter from quantizing what they take.

    Args:
        tflite: the file.
        mark: what their names hold.
    """
    if mark.encode() not in tflite:
        return tflite
    model = read_model(tflite)
    found = False
    for graph in model.subgraphs:
        for operator in list(graph.operators):
            if operator_name(model, operator) != "FLOOR":
                continue
            before, after = int(operator.inputs[0]), int(operator.outputs[0])
            if mark not in text(graph.tensors[after].name):
                continue
            read_instead(graph, after, before)
            if after in integers(graph.outputs):
                source = producer(graph, before)
                if source is None:
                    raise ValueError(f"nothing computes what {mark!r} stands behind")
                read_instead(graph, before, after)
                source.outputs = np.where(source.outputs == before, after, source.outputs)
            graph.operators.remove(operator)
            found = True
    return pack_model(model) if found else tflite


def _separate(model: Any, graph: Any, state: SharedState) -> None:
    """Gives each owner but the first a variable of its own, and all others the zeros."""
    for operator, slot in state.owners[1:]:
        graph.tensors.append(copy.copy(graph.tensors[state.tensor]))
        _read(graph.operators[operator], slot, len(graph.tensors) - 1)
    zeros = None
    for operator, slot in state.others:
        zeros = _zeros(model, graph, state.tensor) if zeros is None else zeros
        _read(graph.operators[operator], slot, zeros)


def _zeros(model: Any, graph: Any, like: int) -> int:
    """A constant with which a variable starts."""
    tensor = copy.copy(graph.tensors[like])
    tensor.isVariable = False
    points = zero_points_of(tensor)
    dtype = np.dtype(dtype_name(tensor))
    values = np.full(integers(tensor.shape), points[0] if len(points) else 0, dtype)
    buffer = copy.copy(model.buffers[tensor.buffer])
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _read(operator: Any, slot: int, tensor: int) -> None:
    inputs = np.array(operator.inputs, np.int32)
    inputs[slot] = tensor
    operator.inputs = inputs


def _rescale(model: Any, graph: Any, moved: UnequalScale) -> None:
    """Puts a QUANTIZE before an operator; behind it, where it has several outputs."""
    operator = graph.operators[moved.operator]
    behind = len(operator.outputs) > 1
    scaled_like, shaped_like = (
        (moved.input, moved.output) if behind else (moved.output, moved.input)
    )
    about = graph.tensors[shaped_like]
    between = new_tensor(graph, scaled_like, integers(about.shape))
    graph.tensors[between].shapeSignature = about.shapeSignature
    ends = [between, moved.output] if behind else [moved.input, between]
    quantize = new_operator(model, "QUANTIZE", ends[:1], ends[1:], version=2)
    graph.operators.insert(moved.operator + behind, quantize)
    if behind:
        operator.outputs = np.where(operator.outputs == moved.output, between, operator.outputs)
    else:
        _read(operator, moved.slot, between)
