"""Decides, on the files themselves, in how many bits weights of two or three values are stored."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.low_bit.emit import FEW_WEIGHTS, LowBit, low_bit
from tflite_squeeze.emission.low_bit.few_bits import (
    OUTPUT_AXES,
    ternary_scales,
    weighted_operators,
)
from tflite_squeeze.emission.low_bit.record import LowBitMode, LowBitRecord
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import CheckFailed
from tflite_squeeze.runtime.turns import in_turns
from tflite_squeeze.tflite.fields import buffer_bytes, operator_name, text
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.tensor_values import dequantized, tensor_values

Array = NDArray[Any]


def exact_differences(before: bytes, after: bytes) -> tuple[str, ...]:
    """The few-bit weights of a file that do not represent exactly the original values.

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
    """The real values of every operator's weights, by the name of the operator's output."""
    model = read_model(tflite)
    found = {}
    for subgraph, operator in weighted_operators(model):
        graph, index = model.subgraphs[subgraph], int(operator.inputs[1])
        about = graph.tensors[index]
        if not buffer_bytes(model.buffers[about.buffer]):
            continue
        values = tensor_values(model, subgraph, index)
        if values is not None:
            key = (subgraph, text(graph.tensors[int(operator.outputs[0])].name))
            reals = dequantized(values, about.quantization)
            found[key] = (text(about.name), reals, OUTPUT_AXES[operator_name(model, operator)])
    return found


_SLOWER = 1.1  # as much slower than the float file as the smaller one may be


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A file with few-bit weights where that pays off, and its record."""

    tflite: bytes
    record: LowBitRecord | None


def with_low_bits(tflite: bytes, mode: LowBitMode, quantize: Quantization) -> Packed:
    """Stores weights {-s, s} and {-s, 0, s} in 2 or 4 bits, with exactly their scales.

    Args:
        tflite: a float file.
        mode: "auto" takes 2 bits unless that file runs slower than the float one and 4 bits do
            not; "int2" and "int4" force one, "off" leaves the file alone.
        quantize: "dynamic" stores all other large weights in 8 bits too.

    Returns:
        The file, and the record; None where no weight has so few values.

    Raises:
        CheckFailed: the file does not hold the numbers that were trained.
        RuntimeFailure: the runtime refuses the file.

    Example:
        >>> with_low_bits(tflite, "auto", Quantization.NONE).record.stored
        'int2'
    """
    if mode == "off":
        return Packed(tflite=tflite, record=None)
    others = quantize is Quantization.DYNAMIC
    least = FEW_WEIGHTS if mode == "auto" else 0
    forms = {
        name: low_bit(tflite, name, least=least, others_int8=others) for name in ("int2", "int4")
    }
    if not forms["int2"].tensors:
        return Packed(tflite=tflite, record=None)
    sizes = {"float32": len(tflite)} | {name: len(form.tflite) for name, form in forms.items()}
    if sizes["int2"] >= sizes["float32"] and mode == "auto":
        reason = "the file would not be smaller"
        record = LowBitRecord(mode=mode, raw_bytes=sizes, reason=reason)
        return Packed(tflite=tflite, record=record)
    files = {"float32": tflite} | {name: form.tflite for name, form in forms.items()}
    times = in_turns(files)
    stored, reason = _chosen(mode, times)
    kept = forms[stored]
    _check(tflite, kept)
    return Packed(
        tflite=kept.tflite,
        record=LowBitRecord(
            mode=mode,
            stored=stored,
            tensors=kept.tensors,
            raw_bytes=sizes,
            median_us=times,
            reason=reason,
        ),
    )


def _chosen(mode: LowBitMode, times: dict[str, float]) -> tuple[str, str]:
    """int2 or int4, and why."""
    if mode != "auto":
        return mode, "as asked"
    slow = times["int2"] > _SLOWER * times["float32"]
    if slow and times["int4"] < times["int2"]:
        return "int4", "2 bits are slower than float here"
    return "int2", "the smallest, and not slower than float" if not slow else "the smallest"


def _check(before: bytes, kept: LowBit) -> None:
    if wrong := exact_differences(before, kept.tflite):
        raise CheckFailed(
            f"the file does not hold exactly the trained weights ({', '.join(wrong)}): convert "
            f"with --low-bit off, and report this"
        )
