"""Scales with which shared values stay shared in integer files.

The converter gives every output channel a scale of its own, so that its largest weight becomes
127. One value that channels share then becomes another integer in each of them, and where the
normalisation of a channel was folded into its weights, it is no longer even one value. Both are
undone by scales in proportion to what was folded in: then a value is one integer in all channels.
Weights that were trained as integers times a step get that step, and so the same integers.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.shared_values.kernels import SharedKernel
from tflite_squeeze.tflite.edits import consumers, new_buffer
from tflite_squeeze.tflite.fields import (
    dtype_name,
    integers,
    operator_name,
    scales_of,
    text,
    zero_points_of,
)
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.tensor_values import dequantized, tensor_values

Array = NDArray[Any]

# Operators that read weights, and where their biases are.
_BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
_DEPTHWISE_AXIS = 3
# As much further than half a step as a weight may be from where rounding puts it.
_SLACK = 1.02


@dataclass(frozen=True, kw_only=True, eq=False)
class _Place:
    """A tensor of weights, its real values as (outputs, inputs), and the step of each row."""

    subgraph: int
    tensor: int
    matrix: NDArray[np.float32]
    steps: NDArray[np.float64]


def with_shared_scales(
    tflite: bytes, kernels: Sequence[SharedKernel]
) -> tuple[bytes, dict[str, str]]:
    """Writes shared values as one integer each.

    Args:
        tflite: a file with int8 weights.
        kernels: those of its model that share values.

    Returns:
        The file, and for every kernel that was found in it the name of its tensor. Weights of one
        kernel get one scale, or one per channel where a normalisation was folded in; biases
        follow.

    Raises:
        InputError: the file is damaged.
    """
    if not kernels:
        return tflite, {}
    model = read_model(tflite)
    places = list(_places(model))
    found = {}
    for kernel in kernels:
        for place in places:
            factors = _factors(place, kernel.matrix)
            if factors is not None:
                _rescale(model, place, kernel, factors)
                places.remove(place)
                tensor = model.subgraphs[place.subgraph].tensors[place.tensor]
                found[kernel.name] = text(tensor.name)
                break
    return pack_model(model) if found else tflite, found


def _places(model: Any) -> Iterator[_Place]:
    """The int8 weights that may be kernels, as matrices of their real values."""
    seen = set()
    for subgraph, graph in enumerate(model.subgraphs):
        for operator in graph.operators:
            if operator_name(model, operator) not in _BIAS or len(operator.inputs) < 2:
                continue
            tensor = int(operator.inputs[1])
            about = graph.tensors[tensor]
            if (subgraph, tensor) in seen or dtype_name(about) != "int8" or about.sparsity:
                continue
            seen.add((subgraph, tensor))
            values = tensor_values(model, subgraph, tensor)
            if values is None or not len(scales_of(about)) or np.any(zero_points_of(about)):
                continue
            if any(operator_name(model, one) not in _BIAS for one in consumers(graph, tensor)):
                continue
            matrix = _matrix(dequantized(values, about.quantization), _axis(model, operator))
            steps = np.resize(scales_of(about).astype(np.float64), len(matrix))
            yield _Place(subgraph=subgraph, tensor=tensor, matrix=matrix, steps=steps)


def _axis(model: Any, operator: Any) -> int:
    return _DEPTHWISE_AXIS if operator_name(model, operator) == "DEPTHWISE_CONV_2D" else 0


def _matrix(values: Array, axis: int) -> Array:
    """(outputs, inputs) of a file's weights."""
    return np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)


def _factors(place: _Place, kernel: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """What each channel of a kernel was multiplied by; None where the weights are not its."""
    if place.matrix.shape != kernel.shape:
        return None
    room = _SLACK * place.steps[:, np.newaxis] / 2
    if np.all(np.abs(place.matrix - kernel) <= room):
        return np.ones(len(kernel))
    squares = np.sum(kernel**2, axis=1)
    products = np.sum(place.matrix * kernel, axis=1)
    factors = np.divide(products, squares, out=np.zeros(len(kernel)), where=squares > 0)
    apart = np.abs(place.matrix - factors[:, np.newaxis] * kernel)
    # The factor itself is known to within the rounding of what it was found from.
    return factors if np.all(apart <= 2 * room) else None


def _rescale(model: Any, place: _Place, kernel: SharedKernel, factors: NDArray[np.float64]) -> None:
    graph = model.subgraphs[place.subgraph]
    about = graph.tensors[place.tensor]
    readers = consumers(graph, place.tensor)
    axis = _axis(model, readers[0])
    scales = np.where(factors == 0, 1.0, np.abs(factors)) * kernel.steps
    numbers = np.rint(kernel.matrix * np.sign(factors)[:, np.newaxis] / kernel.steps[:, np.newaxis])
    shape = integers(about.shape)
    moved = numbers.astype(np.int8).reshape(
        [shape[axis], *(size for at, size in enumerate(shape) if at != axis)]
    )
    stored = np.ascontiguousarray(np.moveaxis(moved, 0, axis))
    about.buffer = new_buffer(model, stored)
    about.quantization = copy.deepcopy(about.quantization)
    single = bool(np.all(scales == scales[0]))
    written = scales[:1] if single else scales
    about.quantization.scale = written.astype(np.float32)
    about.quantization.zeroPoint = np.zeros(len(written), np.int64)
    about.quantization.quantizedDimension = 0 if single else axis
    for reader in readers:
        at = _BIAS[operator_name(model, reader)]
        if len(reader.inputs) > at and int(reader.inputs[at]) >= 0:
            bias = kernel.bias if np.all(factors == 1) else None
            _follow(model, place.subgraph, reader, at, scales, single=single, bias=bias)


def _follow(
    model: Any,
    subgraph: int,
    reader: Any,
    at: int,
    scales: NDArray[np.float64],
    *,
    single: bool,
    bias: NDArray[np.float64] | None,
) -> None:
    """Gives an operator a bias in the new steps: those of its inputs times those of its weights.

    Equal biases stay equal where they are known before they were first rounded.
    """
    graph = model.subgraphs[subgraph]
    about = graph.tensors[int(reader.inputs[at])]
    values = tensor_values(model, subgraph, int(reader.inputs[at]))
    if values is None or dtype_name(about) not in ("int32", "int64"):
        return  # with dynamic quantization, biases are real numbers
    step = float(scales_of(graph.tensors[_inputs_of(reader, model)])[0])
    limits = np.iinfo(values.dtype)
    own = np.resize(scales_of(about).astype(np.float64), values.size)
    real = values * own
    if bias is not None and bias.shape == real.shape and np.all(np.abs(bias - real) <= own):
        real = bias
    numbers = np.rint(real / (step * scales)).clip(limits.min, limits.max)
    changed = copy.copy(about)
    changed.buffer = new_buffer(model, numbers.astype(values.dtype))
    changed.quantization = copy.deepcopy(about.quantization)
    written = (step * (scales[:1] if single else scales)).astype(np.float32)
    changed.quantization.scale = written
    changed.quantization.zeroPoint = np.zeros(len(written), np.int64)
    changed.quantization.quantizedDimension = 0
    graph.tensors.append(changed)
    inputs = np.array(reader.inputs, np.int32)
    inputs[at] = len(graph.tensors) - 1
    reader.inputs = inputs


def _inputs_of(reader: Any, model: Any) -> int:
    """The tensor of activations that an operator reads."""
    return int(reader.inputs[2 if operator_name(model, reader) == "TRANSPOSE_CONV" else 0])
