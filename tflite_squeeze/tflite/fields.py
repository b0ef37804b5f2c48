"""The fields of the schema's object model as plain Python and NumPy values."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray


def _constants(enum: Any) -> dict[int, str]:
    """The names of one of the schema's enumerations by number."""
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


_OPERATORS = _constants(schema.BuiltinOperator)
BUILTIN_OPERATORS = frozenset(_OPERATORS.values())
_TYPES = _constants(schema.TensorType)


def operator_name(model: Any, operator: Any) -> str:
    """An operator's built-in name, such as CONV_2D, or the code of a custom one."""
    code = model.operatorCodes[operator.opcodeIndex]
    # Old files hold the code in a byte, where new ones hold what still fits into it.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    if number == schema.BuiltinOperator.CUSTOM:
        return text(code.customCode) or "CUSTOM"
    return _OPERATORS.get(number, f"BUILTIN_{number}")


def dtype_name(tensor: Any) -> str:
    """A tensor's type as NumPy names it: float32, int8, int4, string, resource."""
    return _TYPES[tensor.type].lower()


def shape_of(tensor: Any) -> tuple[int, ...]:
    """A tensor's shape, -1 where the file leaves a dimension open."""
    shape = integers(tensor.shape)
    signature = integers(tensor.shapeSignature)
    return signature if len(signature) == len(shape) else shape


def scales_of(tensor: Any) -> NDArray[np.float32]:
    """A tensor's quantization scales: one, one per channel, or none at all."""
    scale = None if tensor.quantization is None else tensor.quantization.scale
    return np.asarray([] if scale is None else scale, dtype=np.float32)


def zero_points_of(tensor: Any) -> NDArray[np.int64]:
    """A tensor's zero points, as many as it has scales; 0 where the file leaves them out."""
    points = None if tensor.quantization is None else tensor.quantization.zeroPoint
    count = len(scales_of(tensor))
    if points is None or len(points) == 0:
        return np.zeros(count, np.int64)
    return np.resize(np.asarray(points, dtype=np.int64), count)  # one may stand for all channels


def text(value: Any) -> str:
    """A string of the object model, which holds it as bytes, or not at all."""
    if value is None:
        return ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def items(vector: Any) -> list[Any]:
    """A vector of tables of the object model, which is None where the file leaves it out."""
    return [] if vector is None else list(vector)


def integers(vector: Any) -> tuple[int, ...]:
    """A vector of numbers of the object model, which is None where the file leaves it out."""
    return () if vector is None else tuple(int(value) for value in vector)


def buffer_bytes(buffer: Any) -> bytes:
    """A buffer's content, whether the object model holds it as an array, a list or bytes."""
    if buffer.data is None:
        return b""
    if isinstance(buffer.data, bytes | bytearray):
        return bytes(buffer.data)
    return np.asarray(buffer.data, dtype=np.uint8).tobytes()
