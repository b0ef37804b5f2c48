"""int8 weights whose integers fit into 4 or 2 bits, stored in as many: the same numbers.

What the stock runtime (LiteRT 2.3) does with them beside int8 activations, found by trying every
kind of operator on x86-64 with the same integers in 8 bits:

- FULLY_CONNECTED: XNNPACK multiplies 4 bits as fast as 8 if rows have an even length, and 2 bits
  in 1.6 times the time if there is a scale per channel and rows are a multiple of 4 long. All else
  the built-in kernels compute, in 14 times the time.
- CONV_2D of 1x1 with stride 1: as FULLY_CONNECTED; 4 bits take 1.1 times the time.
- Other CONV_2D and DEPTHWISE_CONV_2D: the built-in kernels compute 4 bits in 2 to 10 times the
  time, and refuse 2.
- TRANSPOSE_CONV: refused.

The built-in kernels answer with the same bits for each. Where XNNPACK computed in 8 bits what the
built-in kernels compute in 4, they round differently: an output moves by a step now and then.
TensorFlow Lite for Microcontrollers takes 4 bits in convolutions, and in FULLY_CONNECTED with one
scale for the tensor; it does not take 2 bits.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from tflite_squeeze.emission.low_bit.emit import cover, why_not_covering
from tflite_squeeze.emission.low_bit.few_bits import (
    BITS,
    OperatorWeight,
    Stored,
    store,
    stored_weights,
)
from tflite_squeeze.emission.low_bit.record import NarrowedTensor
from tflite_squeeze.errors import UsageError
from tflite_squeeze.tflite.edits import consumers, operator_code
from tflite_squeeze.tflite.fields import (
    dtype_name,
    integers,
    operator_name,
    scales_of,
    text,
    zero_points_of,
)
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.tidy import tidied

# The types that the operator's input may have beside weights of 4 bits.
_INPUTS = {
    "FULLY_CONNECTED": ("int8", "int16"),
    "CONV_2D": ("int8",),
    "DEPTHWISE_CONV_2D": ("int8",),
}
OPERATORS = tuple(_INPUTS)
# The first version of each operator that takes such weights, by the type of its input.
_VERSIONS = {
    ("FULLY_CONNECTED", "int4", "int8"): 10,
    ("FULLY_CONNECTED", "int4", "int16"): 13,
    ("FULLY_CONNECTED", "int2", "int8"): 14,
    ("CONV_2D", "int4", "int8"): 7,
    ("DEPTHWISE_CONV_2D", "int4", "int8"): 7,
}
_LARGEST = {"int4": 7, "int2": 1}


def narrowed(
    tflite: bytes,
    *,
    operators: Sequence[str] = ("FULLY_CONNECTED",),
    least_bits: Literal[4, 2] = 2,
) -> tuple[bytes, tuple[NarrowedTensor, ...]]:
    """Stores int8 weights in 4 or 2 bits where their integers allow it, with the same scales.

    Args:
        tflite: a file with integer weights and activations.
        operators: whose weights may be stored so: FULLY_CONNECTED, CONV_2D, DEPTHWISE_CONV_2D.
            1x1 convolutions of stride 1 become FULLY_CONNECTED; other ones become slow on x86.
        least_bits: 4 keeps weights out of 2 bits, which are slower and which TensorFlow Lite for
            Microcontrollers does not take.

    Returns:
        The new file, the old one where nothing fits; and a record of each weight whose integers
        are in [-7, 7].

    Raises:
        InputError: the file is damaged.
        UsageError: an operator that the runtime does not run with fewer bits.

    Example:
        >>> smaller, records = narrowed(tflite)
        >>> records[0].stored
        'int4'
    """
    if unknown := sorted(set(operators) - set(OPERATORS)):
        raise UsageError(
            f"operators has {', '.join(unknown)}, which the runtime does not run with fewer than 8 "
            f"bits: choose from {', '.join(OPERATORS)}"
        )
    model = read_model(tflite)
    readers: dict[tuple[int, int], list[OperatorWeight]] = {}
    for weight in stored_weights(model, "int8", ("int8", "int16")):
        readers.setdefault((id(weight.graph), weight.index), []).append(weight)
    records = tuple(
        _narrow(model, same, operators, least_bits) for same in readers.values() if _fits(same[0])
    )
    if all(one.stored == "int8" for one in records):
        return tflite, records
    return tidied(pack_model(model)), records


def _fits(weight: OperatorWeight) -> bool:
    """Whether a weight is symmetric, as its operator wants it, and fits into 4 bits."""
    scales, rank = scales_of(weight.tensor), 2 if weight.name == "FULLY_CONNECTED" else 4
    if weight.values.ndim != rank or not len(scales) or zero_points_of(weight.tensor).any():
        return False
    if len(scales) > 1 and weight.tensor.quantization.quantizedDimension != weight.axis:
        return False
    return int(np.abs(weight.values.astype(np.int16)).max()) <= _LARGEST["int4"]


def _narrow(
    model: Any, same: list[OperatorWeight], operators: Sequence[str], least_bits: int
) -> NarrowedTensor:
    """Stores a weight in the fewest bits in which all its readers run."""
    first, *_ = same
    shape = integers(first.tensor.shape)
    covered = all(one.name == "CONV_2D" and not why_not_covering(one) for one in same)
    kind: Stored = "int8"
    if len(consumers(first.graph, first.index)) > len(same):
        reason = "other operators read it too"
    elif left := sorted({weight.name for weight in same} - set(operators)):
        reason = f"4 bits make {', '.join(left)} slow on x86: 8 unless low_bit is int4"
    else:
        choices = [_fewest(weight, least_bits, covered=covered) for weight in same]
        kind, reason = max(choices, key=lambda choice: BITS[choice[0]])
    if kind != "int8":
        _store(model, same, kind, covered=covered)
    return NarrowedTensor(
        tensor=text(first.tensor.name),
        operator=", ".join(dict.fromkeys(weight.name for weight in same)),
        shape=shape,
        largest=int(np.abs(first.values).max()),
        stored=kind,
        bytes_before=first.values.size,
        bytes_after=math.ceil(first.values.size * BITS[kind] / 8),
        reason=reason,
    )


def _store(model: Any, same: list[OperatorWeight], kind: Stored, *, covered: bool) -> None:
    first, *_ = same
    store(model, first, first.values, scales_of(first.tensor), kind)
    for weight in same:
        if covered:
            cover(model, weight)
        name = operator_name(model, weight.operator)
        version = _VERSIONS[name, kind, _input_type(weight)]
        weight.operator.opcodeIndex = operator_code(model, name, version)


def _fewest(weight: OperatorWeight, least_bits: int, *, covered: bool) -> tuple[Stored, str]:
    """The fewest bits in which an operator runs with these weights, and why not in fewer."""
    if _input_type(weight) not in _INPUTS[weight.name]:
        return "int8", f"{weight.name} does not run with {_input_type(weight)} inputs and 4 bits"
    if weight.name != "FULLY_CONNECTED" and not covered:
        return "int4", ""
    if getattr(weight.operator.builtinOptions, "weightsFormat", 0):
        return "int8", "its weights are shuffled"
    row = weight.values[0].size
    if row % 2:
        return "int8", f"XNNPACK does not multiply 4-bit rows of the odd length {row}"
    if np.abs(weight.values).max() > _LARGEST["int2"] or least_bits > 2:
        return "int4", ""
    if len(scales_of(weight.tensor)) == 1 or row % 4 or _input_type(weight) != "int8":
        return "int4", (
            "XNNPACK multiplies 2-bit weights only beside int8 inputs, with a scale per channel "
            "and rows of a multiple of 4"
        )
    return "int2", ""


def _input_type(weight: OperatorWeight) -> str:
    return dtype_name(weight.graph.tensors[int(weight.operator.inputs[0])])
