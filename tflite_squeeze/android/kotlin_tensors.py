"""Kotlin lines that move values between arrays and the buffers of tensors."""

from collections.abc import Sequence

import numpy as np

from tflite_squeeze.android.interface import AndroidTensor

# How a buffer of another type is seen.
_VIEWS = {
    "float32": "asFloatBuffer()",
    "int16": "asShortBuffer()",
    "int32": "asIntBuffer()",
    "int64": "asLongBuffer()",
}
# How an integer is put into the buffer of a tensor, and taken out of it as an Int.
_PUTS = {"int8": "put({}.toByte())", "uint8": "put({}.toByte())", "int16": "putShort({}.toShort())"}
_GETS = {
    "int8": "{}.get().toInt()",
    "uint8": "({}.get().toInt() and 0xFF)",
    "int16": "{}.getShort().toInt()",
}


def shape_text(shape: Sequence[int]) -> str:
    """A shape as people write it.

    Example:
        >>> shape_text((1, 28, 28, 1))
        '1x28x28x1'
    """
    return "x".join(str(size) for size in shape) or "scalar"


def filled(tensor: AndroidTensor, buffer: str) -> str:
    """The lines that write an array into the buffer of an input.

    Args:
        tensor: the input; the array has its identifier as name.
        buffer: the name of the buffer.

    Returns:
        Kotlin, indented for the body of a method.
    """
    name = tensor.identifier
    if tensor.quantized:
        limits = np.iinfo(tensor.dtype)
        value = (
            f"quantized(value, {tensor.scale!r}, {tensor.zero_point}, "
            f"{float(limits.min)!r}, {float(limits.max)!r})"
        )
        put = _PUTS.get(tensor.dtype, "putInt({})").format(value)
        return (
            f"        {buffer}.clear()\n"
            f"        for (value in {name}) {buffer}.{put}\n"
            f"        {buffer}.rewind()\n"
        )
    if tensor.dtype == "bool":
        return (
            f"        {buffer}.clear()\n"
            f"        for (value in {name}) {buffer}.put(if (value) 1 else 0)\n"
            f"        {buffer}.rewind()\n"
        )
    if tensor.dtype in _VIEWS:
        return f"        {buffer}.rewind()\n        {buffer}.{_VIEWS[tensor.dtype]}.put({name})\n"
    return f"        {buffer}.clear()\n        {buffer}.put({name})\n        {buffer}.rewind()\n"


def read(tensor: AndroidTensor, buffer: str) -> str:
    """The expression that reads the buffer of an output, which was rewound, into a new array.

    Args:
        tensor: the output.
        buffer: the name of the buffer.

    Returns:
        Kotlin.
    """
    count = tensor.elements
    if tensor.quantized:
        number = _GETS.get(tensor.dtype, "{}.getInt()").format(buffer)
        return (
            f"FloatArray({count}) {{ "
            f"(({number} - {tensor.zero_point}.0) * {tensor.scale!r}).toFloat() }}"
        )
    if tensor.dtype == "bool":
        return f"BooleanArray({count}) {{ {buffer}.get() != 0.toByte() }}"
    if tensor.dtype in _VIEWS:
        return f"{tensor.array}({count}).also {{ {buffer}.{_VIEWS[tensor.dtype]}.get(it) }}"
    return f"ByteArray({count}).also {{ {buffer}.get(it) }}"
