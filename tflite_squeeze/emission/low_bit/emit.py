"""Weights {-s, 0, s} in 2, 4 or 8 bits with exactly their scales, as the stock runtime runs them.

LiteRT multiplies FULLY_CONNECTED by 2- and 4-bit weights; it quantizes the inputs to 8 bits on
the way in, as for dynamic-range quantization. A 1x1 convolution of stride 1 is a FULLY_CONNECTED
over the last axis. Its CONV_2D is slow with 4 bits and outputs NaN with 2, so larger kernels get
8 bits per weight, which are exact as well: -1, 0 and 1 times the scale.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tflite_squeeze.emission.low_bit.few_bits import (
    BITS,
    OUTPUT_AXES,
    OperatorWeight,
    Stored,
    float_weights,
    store,
    ternary_scales,
    weighted_operators,
)
from tflite_squeeze.emission.low_bit.record import LowBitTensor
from tflite_squeeze.tflite.edits import operator_code
from tflite_squeeze.tflite.fields import (
    integers,
    operator_name,
    text,
)
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.tensor_values import tensor_values
from tflite_squeeze.tflite.tidy import tidied

# What the operators' versions are for weights of 8 bits or fewer with a scale per channel.
VERSIONS = {"FULLY_CONNECTED": 12, "CONV_2D": 5, "DEPTHWISE_CONV_2D": 6}
FEW_WEIGHTS = 1024  # the converter's dynamic mode too leaves fewer in float

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class LowBit:
    """A file with few-bit weights, and what was decided about each.

    Attributes:
        tflite: the file.
        tensors: every weight that has two or three values.
    """

    tflite: bytes
    tensors: tuple[LowBitTensor, ...]


def low_bit(
    tflite: bytes,
    stored: Literal["int2", "int4"],
    *,
    least: int = 0,
    others_int8: bool = False,
) -> LowBit:
    """Stores weights that have two or three values per channel in few bits.

    Args:
        tflite: a float file.
        stored: the type for FULLY_CONNECTED.
        least: how many weights a tensor has at least; smaller ones stay in float.
        others_int8: whether all other weights become int8 (rounded, a scale per channel).

    Returns:
        The new file; the old one where no weight has so few values.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> low_bit(tflite, "int2").tensors[0].stored
        'int2'
    """
    model = read_model(tflite)
    done: list[LowBitTensor] = []
    others = []
    for weight in list(float_weights(model)):
        if weight.scale is None or weight.values.size < least:
            others.append(weight)
        else:
            done.append(_store_exactly(model, weight, stored))
    if not done:
        return LowBit(tflite=tflite, tensors=())
    for weight in others if others_int8 else ():
        _round_to_int8(model, weight)
    return LowBit(tflite=tidied(pack_model(model)), tensors=tuple(done))


def has_few_values(tflite: bytes) -> bool:
    """Whether a file of any quantization has large weights of two or three values.

    Args:
        tflite: the file's content.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    for subgraph, operator in weighted_operators(model):
        values = tensor_values(model, subgraph, int(operator.inputs[1]))
        if values is None or values.size < FEW_WEIGHTS:
            continue
        axis = OUTPUT_AXES[operator_name(model, operator)]
        if ternary_scales(values.astype(np.float32), axis) is not None:
            return True
    return False


def _store_exactly(
    model: Any, weight: OperatorWeight, stored: Literal["int2", "int4"]
) -> LowBitTensor:
    if weight.scale is None:
        raise ValueError("a weight with many values has no exact form in few bits")
    before = text(weight.tensor.name)
    shape = integers(weight.tensor.shape)
    kind: Stored
    kind, reason = stored, ""
    if weight.name == "CONV_2D" and not (reason := why_not_covering(weight)):
        cover(model, weight)
    elif weight.name != "FULLY_CONNECTED":
        kind = "int8"
        reason = reason or "the runtime's depthwise kernels take no fewer than 8 bits"
    codes = np.sign(weight.values).astype(np.int8)
    write_integers(model, weight, codes, weight.scale, kind)
    per_row = np.moveaxis(codes, weight.axis, 0).reshape(len(weight.scale), -1)
    return LowBitTensor(
        tensor=before,
        operator=weight.name,
        shape=shape,
        values=max(len(np.unique(row)) for row in per_row),
        stored=kind,
        bytes_before=4 * weight.values.size,
        bytes_after=math.ceil(codes.size * BITS[kind] / 8) + 12 * len(weight.scale),
        reason=reason,
    )


def why_not_covering(weight: OperatorWeight) -> str:
    """What keeps a convolution from being a FULLY_CONNECTED over the last axis; empty if nothing.

    Args:
        weight: that of a CONV_2D.
    """
    options = weight.operator.builtinOptions
    height, width = weight.values.shape[1:3]
    if (height, width) != (1, 1):
        return (
            f"the runtime's {height}x{width} convolutions are slow with 4-bit weights and output "
            f"NaN with 2-bit ones: 8 bits here, 1 bit with --runtime larq and binary inputs"
        )
    if (options.strideH, options.strideW) != (1, 1):
        return "a 1x1 convolution with a stride skips pixels, which FULLY_CONNECTED cannot"
    if weight.values.shape[3] != weight.graph.tensors[int(weight.operator.inputs[0])].shape[-1]:
        return "a grouped 1x1 convolution is not a single matrix"
    return ""


def cover(model: Any, weight: OperatorWeight) -> None:
    """Turns a 1x1 convolution into a FULLY_CONNECTED over the channels of each pixel.

    Args:
        model: the schema's object model; changed in place.
        weight: that of a CONV_2D for which `why_not_covering` has no reason.
    """
    operator = weight.operator
    operator.builtinOptions = schema.FullyConnectedOptionsT(
        fusedActivationFunction=operator.builtinOptions.fusedActivationFunction, keepNumDims=True
    )
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.opcodeIndex = operator_code(model, "FULLY_CONNECTED", VERSIONS["FULLY_CONNECTED"])
    outputs, _, _, inputs = weight.values.shape
    weight.tensor.shape = np.asarray([outputs, inputs], np.int32)
    weight.tensor.shapeSignature = None


def _round_to_int8(model: Any, weight: OperatorWeight) -> None:
    if weight.values.size >= FEW_WEIGHTS:
        write_integers(model, weight, *weight.rounded(), "int8")


def write_integers(
    model: Any, weight: OperatorWeight, codes: Array, scales: Array, kind: Stored
) -> None:
    """Replaces float values that the operator itself reads with codes and scales."""
    store(model, weight, codes, scales, kind)
    name = operator_name(model, weight.operator)
    weight.operator.opcodeIndex = operator_code(model, name, VERSIONS[name])
