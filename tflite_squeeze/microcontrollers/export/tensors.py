"""Inputs and outputs of a file as C sees them."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.microcontrollers.export.names import c_name
from tflite_squeeze.microcontrollers.graph import main_inputs, main_outputs
from tflite_squeeze.runtime.session import Endpoint
from tflite_squeeze.tables.table import laid_out_text
from tflite_squeeze.tflite.tensor_values import step_before

_C_TYPES = {
    "float32": "float",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "bool": "bool",
}
# A real that comes out of real arithmetic: other kernels sum in another order.
_REAL_TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class CTensor:
    """An input or output in C.

    Attributes:
        end: what the file says of it.
        role: INPUT0, OUTPUT1 and so on, the middle of its macros' names.
        name: of the parameter.
        c_type: of its numbers.
        step: one step of an output's quantization as a real, its own or that of the integers
            that DEQUANTIZE made it from; 0 where there is none.
    """

    end: Endpoint
    role: str
    name: str
    c_type: str
    step: float

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.end.shape)

    @property
    def n_bytes(self) -> int:
        """Its size."""
        return self.elements * np.dtype(self.end.dtype).itemsize

    @property
    def described(self) -> str:
        """A line on it, for comments."""
        label = "".join(c if c.isprintable() and c not in "*/\\" else "_" for c in self.end.name)
        text = f"{label}: {self.end.dtype} {laid_out_text(self.end.shape)}"
        if self.end.scale:
            text += f", real = (q - {self.end.zero_point}) * {self.end.scale:g}"
        return text

    def tolerance(self, expected: NDArray[Any]) -> float:
        """How far a device may be off: one step, or a little of the largest expected value."""
        if self.end.dtype != "float32":
            return 0.0 if self.end.dtype == "bool" else 1.0
        largest = float(np.max(np.abs(expected.astype(np.float64))))
        return max(1.01 * self.step, _REAL_TOLERANCE * largest)


def c_tensors(model: Any) -> tuple[list[CTensor], list[CTensor]]:
    """The inputs and outputs of a file's main subgraph.

    Args:
        model: what `read_model` returned, after `check_supported`.
    """
    taken: set[str] = set()
    ends = (("INPUT", main_inputs(model)), ("OUTPUT", main_outputs(model)))
    found = [
        [_c_tensor(model, end, f"{role}{index}", taken) for index, end in enumerate(some)]
        for role, some in ends
    ]
    return found[0], found[1]


def _c_tensor(model: Any, end: Endpoint, role: str, taken: set[str]) -> CTensor:
    return CTensor(
        end=end,
        role=role,
        name=c_name(end.name, taken),
        c_type=_C_TYPES[end.dtype],
        step=end.scale or step_before(model, 0, end.index),
    )
