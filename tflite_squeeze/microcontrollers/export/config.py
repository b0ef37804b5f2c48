"""TODO docstring."""

from pydantic import Field, field_validator

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.microcontrollers.export.names import is_c_name


class ExportMicro(Frozen):
    """How a file is written as C and C++ for TFLM.

    Attributes:
        name: begins the names of the files, functions and macros.
        arena_bytes: the arena to declare; None for the smallest that works with a margin of 2 %.
        arduino: writes an Arduino sketch, a folder named after `name`.
        seed: of the made-up inputs of the golden vectors.
        time_limit_s: seconds after which TFLM is given up.

    Example:
        >>> ExportMicro(name="lenet_5", arduino=True).arena_bytes is None
        True
    """

    name: str = "model"
    arena_bytes: int | None = Field(default=None, ge=16)
    arduino: bool = False
    seed: int = Field(default=0, ge=0)
    time_limit_s: float = Field(default=600.0, gt=0, allow_inf_nan=False)

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not is_c_name(value):
            raise ValueError(
                f"{value!r} cannot name a function in C: write letters, digits and _, a letter "
                f"first, and no word that C or its headers use"
            )
        return value
