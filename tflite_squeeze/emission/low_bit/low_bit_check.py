"""Whether few-bit weights in a file stand for exactly the numbers that were trained."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.low_bit.few_bits import OUTPUT_AXES, ternary_scales
from tflite_squeeze.tflite.fields import buffer_bytes, operator_name, text
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.tensor_values import dequantized, tensor_values

Array = NDArray[Any]


def exact_differences(before: bytes, after: bytes) -> tuple[str, ...]:
    """The few-bit weights of a file that do not stand for exactly the numbers that they had.

    Args:
        before: the float file.
        after: what `low_bit` made of it.

    Returns:
        Names of tensors, none where all is well. Weights that were rounded on purpose are not
        among those that are compared.
    """
    floats, few = _values_by_output(before), _values_by_output(after)
    wrong = []
    for output, (name, values, axis) in floats.items():
        if ternary_scales(values, axis) is None or output not in few:
            continue
        now = few[output][1]
        if now.size != values.size or not np.array_equal(now.reshape(values.shape), values):
            wrong.append(name)
    return tuple(wrong)


def _values_by_output(tflite: bytes) -> dict[tuple[int, str], tuple[str, Array, int]]:
    """The real values of every operator's weights, by the name of what the operator puts out."""
    model = read_model(tflite)
    found = {}
    for subgraph, graph in enumerate(model.subgraphs):
        for operator in graph.operators:
            name = operator_name(model, operator)
            if name not in OUTPUT_AXES or len(operator.inputs) < 2:
                continue
            index = int(operator.inputs[1])
            about = graph.tensors[index]
            if not buffer_bytes(model.buffers[about.buffer]):
                continue
            values = tensor_values(model, subgraph, index)
            if values is not None:
                key = (subgraph, text(graph.tensors[int(operator.outputs[0])].name))
                reals = dequantized(values, about.quantization)
                found[key] = (text(about.name), reals, OUTPUT_AXES[name])
    return found
