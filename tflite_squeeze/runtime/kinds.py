"""Which runtime a file is for, told by its bytes."""

from tflite_squeeze.files.tflite_file import is_tflite

LITERT, ONNX, EXECUTORCH = "litert", "onnxruntime", "executorch"
# The names of their files, beside those of LiteRT.
SUFFIXES = {".onnx": ONNX, ".pte": EXECUTORCH}
_PTE = b"ET"  # at byte 4 of a flatbuffer, with a version behind it

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
