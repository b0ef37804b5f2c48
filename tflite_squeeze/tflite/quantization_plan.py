"""The quantization plan that a `.tflite` file follows, read from its tensors."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError

from tflite_squeeze.errors import InputError
from tflite_squeeze.network.quantization.plan import (
    ActivationQuantization,
    QuantizationPlan,
    WeightQuantization,
)
from tflite_squeeze.tflite.fields import (
    dtype_name,
    integers,
    scales_of,
    text,
    zero_points_of,
)
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.links import Links

# Operators whose float constants of two or more dimensions are weights: matrices and tables.
WEIGHTED = frozenset({
    "BATCH_MATMUL", "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "CONV_2D",
    "CONV_3D", "CONV_3D_TRANSPOSE", "DEPTHWISE_CONV_2D", "EMBEDDING_LOOKUP", "FULLY_CONNECTED",
    "GATHER", "LSTM", "RNN", "SVDF", "TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
})  # fmt: skip
_WEIGHT_BITS = {"int8": 8, "uint8": 8, "int4": 4, "int2": 2}
# Type → the integers of the lowest and the highest value; 16 bits are symmetric.
_RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32767, 32767)}
_FLOATS = frozenset({"float16", "float32", "float64", "bfloat16"})
_BIASES = frozenset({"int32", "int64"})
_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)

Entry = TypeVar("Entry", WeightQuantization, ActivationQuantization)


def plan_of(tflite: bytes) -> QuantizationPlan:
    """What the weights and activations of a file are quantized to.

    Weights are the constants of 8 or fewer bits that operators read, and the float matrices and
    tables of those that multiply or look up; biases follow from the other two and are left out.
    Constants of 16 bits are quantized as activations are, and listed with them. Weights that are
    quantized in blocks are listed without their scales, and a scale of 0, which converters give
    channels that hold only zeros, as the smallest positive one.

    Args:
        tflite: the file's content.

    Returns:
        The plan, in order of execution, by the tensors' names; a name that occurs again gets a
        number: "add", "add#2".

    Raises:
        InputError: the file is damaged, or a tensor is quantized in a way that a plan cannot
            describe.

    Example:
        >>> plan_of(tflite).weights["dense/kernel"].bits
        8
    """
    model = read_model(tflite)
    weights: dict[str, WeightQuantization] = {}
    activations: dict[str, ActivationQuantization] = {}
    names = _Names()
    for subgraph in range(len(model.subgraphs)):
        links = Links(model, subgraph)
        weighted = _weighted_reads(links)
        for index in _in_order(links):
            tensor = links.graph.tensors[index]
            constant = links.is_constant(index)
            if constant and index in links.producer:
                continue  # what DEQUANTIZE or DENSIFY make of a weight
            if constant and _is_weight(tensor, index in weighted):
                weights[names.unique(tensor)] = _weight(tensor)
            elif not (constant and links.dtype(index) in _FLOATS) and _is_activation(tensor):
                activations[names.unique(tensor)] = _activation(tensor)
    return QuantizationPlan(weights=weights, activations=activations)


class _Names:
    """Gives tensors names that differ."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def unique(self, tensor: Any) -> str:
        name = text(tensor.name) or "tensor"
        unique, count = name, self._given.get(name, 0)
        while unique in self._given:
            count += 1
            unique = f"{name}#{count}"
        self._given[name] = max(count, 1)
        self._given.setdefault(unique, 1)
        return unique


def _in_order(links: Links) -> Iterator[int]:
    """Every tensor that the subgraph takes, reads or computes, once."""
    found = dict.fromkeys(integers(links.graph.inputs))
    for operator in range(len(links.names)):
        found.update(dict.fromkeys(links.inputs(operator)))
        inner = integers(links.graph.operators[operator].intermediates)
        found.update(dict.fromkeys(at for at in inner if at >= 0 and _has_scale(links, at)))
        found.update(dict.fromkeys(links.outputs(operator)))
    yield from found


def _has_scale(links: Links, index: int) -> bool:
    return links.dtype(index) in _RANGES and len(scales_of(links.graph.tensors[index])) > 0


def _is_weight(tensor: Any, weighted: bool) -> bool:
    """Whether a constant is a weight: few bits with scales, or a float matrix."""
    dtype = dtype_name(tensor)
    if dtype in _FLOATS:
        return weighted and len(integers(tensor.shape)) > 1
    few = "int" in dtype and dtype not in _BIASES | {"int16"}
    return few and (len(scales_of(tensor)) > 0 or _in_blocks(tensor))


def _weighted_reads(links: Links) -> frozenset[int]:
    """What weighted operators read, also before it is made float or dense."""
    names, operators = links.names, range(len(links.names))
    read = {index for one in operators if names[one] in WEIGHTED for index in links.inputs(one)}
    for one in operators:
        if names[one] in ("DEQUANTIZE", "DENSIFY") and read.intersection(links.outputs(one)):
            read.update(links.inputs(one))
    return frozenset(read)


def _in_blocks(tensor: Any) -> bool:
    return tensor.quantization is not None and tensor.quantization.details is not None


def _weight(tensor: Any) -> WeightQuantization:
    dtype = dtype_name(tensor)
    if dtype in _FLOATS:
        return WeightQuantization(bits=None)
    if dtype not in _WEIGHT_BITS:
        raise _beyond(tensor, f"it is stored in {dtype}")
    scales, points = scales_of(tensor), np.unique(zero_points_of(tensor))
    if len(points) > 1:
        raise _beyond(tensor, f"its channels have zero points from {points[0]} to {points[-1]}")
    per_channel = len(scales) > 1 or _in_blocks(tensor)
    return _described(
        tensor,
        WeightQuantization,
        bits=_WEIGHT_BITS[dtype],
        axis=int(tensor.quantization.quantizedDimension) if per_channel else None,
        scale=tuple(float(one) or _SMALLEST_SCALE for one in scales) or None,
        zero_point=int(points[0]) if len(points) else 0,
    )


def _is_activation(tensor: Any) -> bool:
    """Whether a tensor's numbers stand for reals: floats, or integers with a scale."""
    dtype = dtype_name(tensor)
    return dtype in _FLOATS or (
        "int" in dtype and dtype not in _BIASES and len(scales_of(tensor)) > 0
    )


def _activation(tensor: Any) -> ActivationQuantization:
    dtype = dtype_name(tensor)
    if dtype in _FLOATS:
        return ActivationQuantization(bits=None)
    scales, points = scales_of(tensor), zero_points_of(tensor)
    if dtype not in _RANGES:
        raise _beyond(tensor, f"it is computed in {dtype}")
    if len(scales) > 1:
        raise _beyond(tensor, f"it is computed with {len(scales)} scales")
    scale, zero_point = float(scales[0]), int(points[0])
    if dtype == "int16" and zero_point:
        raise _beyond(tensor, f"its 16 bits have the zero point {zero_point}")
    lowest, highest = _RANGES[dtype]
    return _described(
        tensor,
        ActivationQuantization,
        bits=16 if dtype == "int16" else 8,
        low=scale * (lowest - zero_point),
        high=scale * (highest - zero_point),
    )


def _described(tensor: Any, kind: Callable[..., Entry], **values: Any) -> Entry:
    """An entry of the plan, or what is wrong with its tensor."""
    try:
        return kind(**values)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ").partition(":")[0]
        raise _beyond(tensor, reason) from error


def _beyond(tensor: Any, reason: str) -> InputError:
    return InputError(
        f"tensor {text(tensor.name)!r} of the .tflite file has no quantization that a plan can "
        f"describe ({reason}): convert the model again"
    )
