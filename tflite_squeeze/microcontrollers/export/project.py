"""The generated code and its README: the values that the templates are filled with."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_squeeze.files.templates import environment
from tflite_squeeze.microcontrollers.export.golden import MicroGolden
from tflite_squeeze.microcontrollers.export.names import byte_lines, number, number_lines
from tflite_squeeze.microcontrollers.export.tensors import CTensor
from tflite_squeeze.microcontrollers.record import MicroOperator

TEMPLATES = environment(
    "tflite_squeeze.microcontrollers.export",
    {
        "byte_lines": byte_lines,
        "float32": lambda value: number(np.float32(value)),
        "number_lines": number_lines,
    },
)


@dataclass(frozen=True, kw_only=True)
class MicroProject:
    """What the generated code states.

    Attributes:
        name: begins the names of functions and files.
        tflite: the file.
        arena_bytes: what the header declares.
        used_bytes: the smallest arena that worked.
        tflm: the version of TFLM that measured it.
        inputs: in order; outputs: in order.
        operators: what the resolver registers.
        resources: how many resource variables it keeps.
        stateful: whether it remembers anything from run to run.
        arduino: whether it is built by Arduino's tools.
        golden: the golden vectors.
    """

    name: str
    tflite: bytes
    arena_bytes: int
    used_bytes: int
    tflm: str
    inputs: Sequence[CTensor]
    outputs: Sequence[CTensor]
    operators: Sequence[MicroOperator]
    resources: int
    stateful: bool
    arduino: bool
    golden: MicroGolden

    @property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self.tflite).hexdigest()

    def files(self) -> dict[str, bytes]:
        """All files by path; a sketch is a folder that has its own name."""
        name, folder = self.name, f"{self.name}/" if self.arduino else ""
        cpp = "cpp" if self.arduino else "cc"  # Arduino's tools compile no .cc
        templates = {
            f"{name}.h": "model.h",
            f"{name}.{cpp}": "model.cc",
            f"{name}_data.h": "model_data.h",
            f"{name}_data.c": "model_data.c",
            f"{name}_golden.h": "model_golden.h",
            f"{name}_golden.c": "model_golden.c",
            **({f"{name}.ino": "sketch.ino"} if self.arduino else {"main.c": "main.c"}),
            "README.md": "README.md",
        }
        values = self._values() | {"cpp": cpp}
        return {
            f"{folder}{path}": TEMPLATES.get_template(f"{source}.j2").render(values).encode()
            for path, source in templates.items()
        }

    def _values(self) -> dict[str, Any]:
        golden = self.golden
        vectors = zip((*self.inputs, *self.outputs), (*golden.inputs, *golden.outputs), strict=True)
        outputs = zip(self.outputs, golden.outputs, strict=True)
        return {
            **vars(self),
            "PREFIX": self.name.upper(),
            "sha256": self.sha256,
            "flash_bytes": len(self.tflite),
            "values": {one.role: values for one, values in vectors},
            "tolerances": {one.role: one.tolerance(values) for one, values in outputs},
        }
