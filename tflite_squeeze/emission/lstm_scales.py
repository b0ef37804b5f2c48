"""Repairs of the scales that the converter gives fused integer LSTMs.

Both faults make a file that the runtime accepts and that answers with noise.
"""

import copy
from typing import Any

import numpy as np

from tflite_squeeze.tflite.flatbuffer import operator_names, pack_model, read_model

# Of UNIDIRECTIONAL_SEQUENCE_LSTM: inputs, and the last of its intermediate tensors.
_PROJECTION, _HIDDEN_STATE, _CELL_STATE = 16, 18, 19
_HIDDEN = 4
# 16-bit numbers in [-1, 1). The kernel's tanh takes whole bits before the point, none at least;
# for a smaller range it does nothing at all.
_LEAST_CELL_SCALE = np.float32(2.0**-15)


def with_sound_lstm_scales(tflite: bytes) -> bytes:
    """Repairs the scales of fused LSTMs in an integer file.

    A cell state that never left [-0.5, 0.5] gets a scale of 2^-16, which the kernel cannot
    compute: it is widened. Where the operators behind a layer made the converter change the scale
    of its output (a concatenation does), the hidden state keeps another, although, without a
    projection, the two are the same numbers: it gets the output's.

    Args:
        tflite: the file.

    Returns:
        The repaired file; the same bytes when nothing had to change.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    changed = False
    for graph, names in zip(model.subgraphs, operator_names(tflite), strict=True):
        for operator, name in zip(graph.operators or [], names, strict=True):
            if name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
                changed |= _widened(graph.tensors[operator.inputs[_CELL_STATE]])
                changed |= _agreed(graph, operator)
    return pack_model(model) if changed else tflite


def _widened(cell_state: Any) -> bool:
    known = cell_state.quantization
    if known is None or known.scale is None or known.scale[0] >= _LEAST_CELL_SCALE:
        return False
    known.scale = np.full_like(known.scale, _LEAST_CELL_SCALE)
    return True


def _agreed(graph: Any, operator: Any) -> bool:
    if operator.intermediates is None or operator.inputs[_PROJECTION] >= 0:
        return False
    output = graph.tensors[operator.outputs[0]].quantization
    if _scale(output) is None:
        return False
    changed = False
    for index in (operator.inputs[_HIDDEN_STATE], operator.intermediates[_HIDDEN]):
        if _scale(graph.tensors[index].quantization) != _scale(output):
            graph.tensors[index].quantization = copy.deepcopy(output)
            changed = True
    return changed


def _scale(quantization: Any) -> tuple[float, int] | None:
    if quantization is None or quantization.scale is None:
        return None
    return float(quantization.scale[0]), int(quantization.zeroPoint[0])
