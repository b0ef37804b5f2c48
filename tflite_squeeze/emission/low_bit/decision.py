"""Decides, on the files themselves, in how many bits weights of two or three values are stored."""

from dataclasses import dataclass

from tflite_squeeze.emission.low_bit.emit import FEW_WEIGHTS, LowBit, low_bit
from tflite_squeeze.emission.low_bit.low_bit_check import exact_differences
from tflite_squeeze.emission.low_bit.low_bit_plan import LowBitMode
from tflite_squeeze.emission.low_bit.record import LowBitRecord
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import CheckFailed
from tflite_squeeze.runtime.turns import in_turns

_SLOWER = 1.1  # as much slower than the float file as the smaller one may be


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A file with few-bit weights where that pays, and the evidence."""

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
