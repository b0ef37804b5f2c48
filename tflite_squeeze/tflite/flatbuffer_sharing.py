"""Tables of a file that are written once, however often they occur.

Scales and zero points per channel are most of what a small integer file has beside its weights,
and the same ones occur again: on what RESHAPE passes on, on unpacked weights, and the zero
points (all 0) on every weight and bias. The format lets tables refer to the same vector.
"""

import copy
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

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
