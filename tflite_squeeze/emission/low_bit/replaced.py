"""Dense weights on grids that the converter cannot write, in place of those that it wrote.

TensorFlow's converter quantizes the kernel of a Dense layer as it likes. What it wrote is found by
its content, and replaced by integers and scales that training or calibration chose.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tflite_squeeze.emission.low_bit.few_bits import OperatorWeight, store, stored_weights
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.tflite.edits import consumers, new_buffer
from tflite_squeeze.tflite.fields import dtype_name, integers, scales_of, text
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.tensor_values import dequantized, tensor_values
from tflite_squeeze.tflite.tidy import tidied

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """The weights of a Dense layer: those in the file, and those that take their place.

    Attributes:
        written: int8 (outputs, inputs), the integers that the converter wrote.
        codes: int8 (outputs, inputs), symmetric.
        scales: (outputs,), of each output.
        bias: (outputs,), real values; None keeps those of the file.
    """

    written: Array
    codes: Array
    scales: Array
    bias: Array | None = None

    def __post_init__(self) -> None:
        outputs = self.written.shape[0] if self.written.ndim == 2 else -1
        shapes = [np.shape(one) for one in (self.codes, self.scales) if one is not None]
        if outputs < 0 or shapes != [self.written.shape, (outputs,)]:
            raise ValueError(
                f"weights of the shape {self.written.shape} are replaced by codes and scales of "
                f"the shapes {shapes}: give (outputs, inputs) and (outputs,)"
            )
        if self.bias is not None and np.shape(self.bias) != (outputs,):
            raise ValueError(f"bias has the shape {np.shape(self.bias)}: give ({outputs},)")


def with_weights(tflite: bytes, replacements: Sequence[Replacement]) -> bytes:
    """Replaces the integer weights and biases of Dense layers.

    Args:
        tflite: a file with integer activations.
        replacements: what to look for, and what to write. Where several layers have the same
            weights, their biases tell them apart.

    Returns:
        The new file: a scale for each output, and biases as int32 (int64
        where the file has it so) in steps of the input's scale times that of the weight.

    Raises:
        InputError: the file is damaged, does not have one of the weights, or a bias does not fit
            into its integers.
        UsageError: several replacements fit a layer equally well.

    Example:
        >>> with_weights(tflite, [Replacement(written=old, codes=codes, scales=scales)])
    """
    model = read_model(tflite)
    weights = [
        one
        for one in stored_weights(model, "int8", ("int8", "int16"))
        if one.name == "FULLY_CONNECTED"
    ]
    used: set[int] = set()
    for weight in weights:
        chosen = _chosen(model, weight, replacements)
        if chosen:
            used.update(chosen)
            _replace(model, weight, replacements[chosen[0]])
    for at, replacement in enumerate(replacements):
        if at not in used:
            raise InputError(
                f"the .tflite file has no Dense layer with the weights of replacement {at} (shape "
                f"{replacement.written.shape}): take them from this very file"
            )
    return tidied(pack_model(model)) if used else tflite


def _chosen(model: Any, weight: OperatorWeight, replacements: Sequence[Replacement]) -> list[int]:
    """The replacements for an operator's weights, by content, then by bias: several if equal."""
    fitting = [at for at, one in enumerate(replacements) if _equal(one.written, weight.values)]
    if len(fitting) < 2:
        return fitting
    bias = _bias(model, weight)
    distances = [_distance(bias, replacements[at].bias) for at in fitting]
    nearest = [at for at, one in zip(fitting, distances, strict=True) if one == min(distances)]
    first = replacements[nearest[0]]
    for other in (replacements[at] for at in nearest[1:]):
        if not (_equal(first.codes, other.codes) and _equal(first.scales, other.scales)):
            raise UsageError(
                f"several replacements fit the weights {text(weight.tensor.name)!r} equally well, "
                f"with the same bias: give each of these layers a bias of its own"
            )
    return nearest


def _equal(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.array_equal(one, other))


def _distance(bias: Array, other: Array | None) -> float:
    return float("inf") if other is None else float(np.abs(bias - other).sum())


def _bias(model: Any, weight: OperatorWeight) -> Array:
    """The real values of an operator's bias, zeros where it has none: (outputs,)."""
    places = integers(weight.operator.inputs)
    if len(places) < 3 or places[2] < 0:
        return np.zeros(weight.values.shape[0])
    subgraph = next(at for at, one in enumerate(model.subgraphs) if one is weight.graph)
    values = tensor_values(model, subgraph, places[2])
    if values is None:
        raise InputError(
            f"the bias of {text(weight.tensor.name)!r} is computed in the .tflite file: convert "
            f"the model again"
        )
    about = weight.graph.tensors[places[2]].quantization
    return dequantized(values, about).astype(np.float64)


def _replace(model: Any, weight: OperatorWeight, new: Replacement) -> None:
    graph, operator = weight.graph, weight.operator
    bias = _bias(model, weight) if new.bias is None else np.asarray(new.bias, np.float64)
    before = graph.tensors[int(operator.inputs[0])]
    scales = np.asarray(new.scales, np.float32)
    steps = scales_of(before)[0] * scales
    _own(graph, operator, 1)
    index = int(operator.inputs[1])
    own = OperatorWeight(
        graph=graph, operator=operator, name=weight.name, index=index, values=new.codes, axis=0
    )
    store(model, own, new.codes, scales, "int8")
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        _own(graph, operator, 2)
    elif bias.any():
        wide = before.type == schema.TensorType.INT16
        _add_bias(graph, operator, len(bias), "INT64" if wide else "INT32")
    else:
        return
    _store_bias(model, graph.tensors[int(operator.inputs[2])], bias, steps)


def _own(graph: Any, operator: Any, place: int) -> None:
    """Gives an operator a copy of an input that others read too."""
    index = int(operator.inputs[place])
    if len(consumers(graph, index)) > 1:
        graph.tensors.append(copy.copy(graph.tensors[index]))
        operator.inputs = np.asarray(operator.inputs).copy()
        operator.inputs[place] = len(graph.tensors) - 1


def _add_bias(graph: Any, operator: Any, outputs: int, kind: str) -> None:
    name = text(graph.tensors[int(operator.outputs[0])].name)
    shape, number = np.asarray([outputs], np.int32), getattr(schema.TensorType, kind)
    graph.tensors.append(schema.TensorT(shape=shape, type=number, name=f"{name}/bias"))
    operator.inputs = np.asarray([*operator.inputs[:2], len(graph.tensors) - 1], np.int32)


def _store_bias(model: Any, tensor: Any, bias: Array, steps: Array) -> None:
    codes = np.rint(bias / steps.astype(np.float64))
    if np.abs(codes).max() > np.iinfo(np.int32).max:
        worst = int(np.argmax(np.abs(codes)))
        raise InputError(
            f"bias {bias[worst]:g} of output {worst} of {text(tensor.name)!r} is too large for its "
            f"scale of {steps[worst]:g}: give its weights a larger scale"
        )
    tensor.quantization = schema.QuantizationParametersT(
        scale=steps.astype(np.float32), zeroPoint=np.zeros(len(steps), np.int64)
    )
    tensor.buffer = new_buffer(model, codes.astype(dtype_name(tensor)))
