"""Everything that the generated code states, gathered before any of it is written."""

from collections.abc import Sequence
from dataclasses import dataclass

from tflite_squeeze.microcontrollers.export.tensors import CTensor
from tflite_squeeze.microcontrollers.record import MicroOperator


@dataclass(frozen=True, kw_only=True)
class MicroPlan:
    """One file as C code.

    Attributes:
        name: begins the names of functions and files.
        sha256: of the file.
        flash_bytes: its size.
        arena_bytes: what the header declares.
        used_bytes: the smallest arena that worked.
        tflm: the version of TFLM that measured it.
        inputs: in order; outputs: in order.
        operators: what the resolver registers.
        resources: how many resource variables it keeps.
        stateful: whether it remembers anything from run to run.
        arduino: whether it is built by Arduino's tools.
    """

    name: str
    sha256: str
    flash_bytes: int
    arena_bytes: int
    used_bytes: int
    tflm: str
    inputs: Sequence[CTensor]
    outputs: Sequence[CTensor]
    operators: Sequence[MicroOperator]
    resources: int
    stateful: bool
    arduino: bool

    @property
    def prefix(self) -> str:
        """What macros begin with."""
        return self.name.upper()

    @property
    def cpp(self) -> str:
        """The ending of C++ sources; Arduino's tools compile no .cc."""
        return "cpp" if self.arduino else "cc"

    @property
    def parameters(self) -> str:
        """The parameters of `run_<name>`."""
        taken = [f"const {tensor.c_type}* {tensor.name}" for tensor in self.inputs]
        given = [f"{tensor.c_type}* {tensor.name}" for tensor in self.outputs]
        return ", ".join([*taken, *given]) or "void"


def filled(template: str, **words: object) -> str:
    """A template with `@word@` replaced; C is full of the braces that str.format reads.

    Example:
        >>> filled("int @name@;", name="x")
        'int x;'
    """
    for word, value in words.items():
        template = template.replace(f"@{word}@", str(value))
    return template.lstrip("\n")
