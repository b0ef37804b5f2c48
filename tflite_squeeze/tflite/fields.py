"""The fields of the schema's object model as plain Python and NumPy values."""

import copy
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

# Custom operators that LiteRT's own resolver registers beside the built-in ones.
LITERT_CUSTOM_OPERATORS = frozenset(
    {
        "NumericVerify",
        "Mfcc",
        "AudioSpectrogram",
        "TFLite_Detection_PostProcess",
        "aeq.hadamard_rotation",
    }
)
_TFLM_NAMES = """
CIRCULAR_BUFFER SignalDelay SignalEnergy SignalFftAutoScale SignalFilterBank SignalFilterBankLog
SignalFilterBankSpectralSubtraction SignalFilterBankSquareRoot SignalFramer SignalIrfft
SignalOverlapAdd SignalPCAN SignalRfft SignalStacker SignalWindow TFLM_DECODE
"""
# Custom operators of TensorFlow Lite for Microcontrollers (TFLM), which LiteRT has not.
TFLM_OPERATORS = frozenset(_TFLM_NAMES.split())


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


_Written = dict[tuple[Any, ...], int]


_FIELDS = (
    ("min", np.float32),
    ("max", np.float32),
    ("scale", np.float32),
    ("zeroPoint", np.int64),
)


def with_shared_quantization(subgraphs: list[Any]) -> list[Any]:
    """Subgraphs that write equal quantization tables, and equal vectors in them, once.

    Args:
        subgraphs: of the schema's object model; they are not changed.

    Returns:
        Copies, for one file.
    """
    written: _Written = {}
    copies = [copy.copy(graph) for graph in subgraphs]
    for graph in copies:
        graph.tensors = [_sharing(tensor, written) for tensor in graph.tensors or []]
    return copies


def _sharing(tensor: Any, written: _Written) -> Any:
    if tensor.quantization is None or tensor.quantization.details is not None:
        return tensor
    shared = copy.copy(tensor)
    shared.quantization = _Quantization(tensor.quantization, written)
    return shared


class _Quantization(schema.QuantizationParametersT):  # type: ignore[misc]
    """A quantization table that looks for an equal one before it is written."""

    def __init__(self, original: Any, written: _Written) -> None:
        self.written = written
        self.dimension = int(original.quantizedDimension)
        self.vectors = {
            field: None if vector is None else np.asarray(vector, dtype)
            for field, dtype in _FIELDS
            for vector in [getattr(original, field)]
        }

    def Pack(self, builder: Any) -> Any:  # noqa: N802  # the generated code calls it so
        offsets = {field: self._vector(builder, field) for field in self.vectors}
        key = ("table", *offsets.values(), self.dimension)
        if key not in self.written:
            schema.QuantizationParametersStart(builder)
            for field, offset in offsets.items():
                if offset is not None:
                    name = field[0].upper() + field[1:]
                    getattr(schema, f"QuantizationParametersAdd{name}")(builder, offset)
            schema.QuantizationParametersAddQuantizedDimension(builder, self.dimension)
            self.written[key] = schema.QuantizationParametersEnd(builder)
        return self.written[key]

    def _vector(self, builder: Any, field: str) -> int | None:
        vector = self.vectors[field]
        if vector is None:
            return None
        key = ("vector", vector.dtype.str, vector.tobytes())
        if key not in self.written:
            self.written[key] = builder.CreateNumpyVector(vector)
        return self.written[key]
