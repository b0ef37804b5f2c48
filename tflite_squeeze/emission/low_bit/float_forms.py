"""Which form of 8-bit weights is the fastest beside activations in float, measured.

An operator with 8-bit weights quantizes its inputs on each run and multiplies integers, or a
DEQUANTIZE, which the runtime computes once, gives it floats. XNNPACK is faster with integers in
Dense layers and convolutions, and slower in depthwise ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ai_edge_litert import schema_py_generated as schema

from tflite_squeeze.emission.low_bit.few_bits import OUTPUT_AXES, distinct_weights
from tflite_squeeze.emission.low_bit.weight_only import behind_dequantize
from tflite_squeeze.runtime.turns import in_turns
from tflite_squeeze.tflite.fields import scales_of
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.tidy import tidied

INTEGERS = "integers"
_FORMS = {
    "floats in depthwise convolutions": ("DEPTHWISE_CONV_2D",),
    "floats": tuple(OUTPUT_AXES),
}


@dataclass(frozen=True, kw_only=True)
class TimedForm:
    """A form of a file.

    Attributes:
        tflite: its content.
        us: median microseconds of a run, on one thread.
    """

    tflite: bytes
    us: float


def with_dequantized(tflite: bytes, operators: Sequence[str]) -> bytes:
    """Lets operators multiply floats that a DEQUANTIZE makes of their 8-bit weights.

    Args:
        tflite: a file with activations in float.
        operators: FULLY_CONNECTED, CONV_2D, DEPTHWISE_CONV_2D.

    Returns:
        The new file; the old one where none of them has 8-bit weights.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    found = distinct_weights(model, "int8", ("float32",))
    weights = [one for one in found if one.name in operators]
    for weight in weights:
        behind_dequantize(model, weight, weight.values, scales_of(weight.tensor))
        read = weight.graph.tensors[int(weight.operator.inputs[1])]
        read.type, read.quantization = schema.TensorType.FLOAT32, None
    return tidied(pack_model(model)) if weights else tflite


def fastest_form(tflite: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The fastest of the forms of a dynamic file, timed in turns.

    Args:
        tflite: a file with 8-bit weights and activations in float.

    Returns:
        The file, and a note that names the form and the times; none where there is no choice.

    Raises:
        InputError: the file is damaged.
        RuntimeFailure: the runtime refuses the file.
    """
    forms = timed_forms(tflite)
    if not forms:
        return tflite, ()
    chosen = min(forms, key=lambda name: forms[name].us)
    told = ", ".join(f"{name} {one.us:.1f} us" for name, one in forms.items())
    note = f"8-bit weights are multiplied as {chosen}, the fastest here: {told}"
    return forms[chosen].tflite, (note,)


def timed_forms(tflite: bytes) -> dict[str, TimedForm]:
    """The forms of a dynamic file, timed in turns, by what operators multiply.

    Args:
        tflite: a file with 8-bit weights and activations in float.

    Returns:
        That of the file, INTEGERS, first; nothing where there is no choice.

    Raises:
        InputError: the file is damaged.
        RuntimeFailure: the runtime refuses the file.
    """
    forms = {INTEGERS: tflite}
    for name, operators in _FORMS.items():
        made = with_dequantized(tflite, operators)
        if made not in forms.values():
            forms[name] = made
    if len(forms) == 1:
        return {}
    times = in_turns(forms)
    return {name: TimedForm(tflite=made, us=times[name]) for name, made in forms.items()}
