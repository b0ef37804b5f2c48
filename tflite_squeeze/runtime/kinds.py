"""Which runtime a file is for, told by its bytes."""

from tflite_squeeze.errors import InputError
from tflite_squeeze.files.tflite_file import is_tflite

LITERT, ONNX, EXECUTORCH = "litert", "onnxruntime", "executorch"
# The names of their files, beside those of LiteRT.
SUFFIXES = {".onnx": ONNX, ".pte": EXECUTORCH}
_PTE = b"ET"  # at byte 4 of a flatbuffer, with a version behind it

# Kinds of fields in protobuf messages, with the sizes of those of one size.
_NUMBER, _BYTES, _FIXED, _LONGEST = 0, 2, {1: 8, 5: 4}, 10

# Types of operators that compute with integers, or turn them into floats.
_INTEGERS = (
    b"DequantizeLinear", b"QLinearConv", b"QLinearMatMul", b"ConvInteger", b"MatMulInteger",
)  # fmt: skip


def kind_of(content: bytes) -> str:
    """The runtime that a file is for.

    Example:
        >>> kind_of(b" " * 4 + b"TFL3")
        'litert'
    """
    if is_tflite(content):
        return LITERT
    return EXECUTORCH if content[4:6] == _PTE else ONNX


def refuse_damaged(content: bytes, what: str) -> None:
    r"""Refuses a file for ONNX Runtime whose parts do not fill it, as those of a model do.

    Args:
        content: of a file that is for no other runtime.
        what: how the message calls it.

    Raises:
        InputError: it is no ONNX model, or not whole.

    Example:
        >>> refuse_damaged(b"\x08\x08", "model.onnx")
    """
    at = 0 if content else 1
    while 0 <= at < len(content):
        at = _behind_field(content, at)
    if at != len(content):
        raise InputError(
            f"{what} is no ONNX model and no program of ExecuTorch, or damaged: export it again"
        )


def _behind_field(content: bytes, at: int) -> int:
    """Where a field of a protobuf message ends; -1 where there is none."""
    tag, at = _number(content, at)
    if tag is None or not tag >> 3 or tag & 7 not in (*_FIXED, _NUMBER, _BYTES):
        return -1
    if tag & 7 in _FIXED:
        return at + _FIXED[tag & 7]
    size, at = _number(content, at)
    if size is None:
        return -1
    return at + size if tag & 7 == _BYTES else at


def _number(content: bytes, at: int) -> tuple[int | None, int]:
    """A number of seven bits a byte, and where it ends."""
    found = 0
    for place, byte in enumerate(content[at : at + _LONGEST]):
        found |= (byte & 127) << 7 * place
        if byte < 128:
            return found, at + place + 1
    return None, -1


def foreign_quantization(content: bytes) -> str | None:
    """Whether an ONNX file computes with integers, as far as its operators say.

    Args:
        content: of a file that is no `.tflite` file.

    Returns:
        "int8" or "none"; None for a program of ExecuTorch, whose kernels are not named.
    """
    if kind_of(content) == EXECUTORCH:
        return None
    return "int8" if any(one in content for one in _INTEGERS) else "none"
