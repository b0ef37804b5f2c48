"""Options of an export for microcontrollers."""

from pydantic import Field, field_validator

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.microcontrollers.export.names import is_c_name


class ExportMicro(Frozen):
    """How a file is written as C and C++ for TFLM.

    Example:
        >>> ExportMicro(name="lenet_5", arduino=True).arena_bytes is None
        True
    """

    name: str = Field(
        default="model", description="Prefix of the names of files, functions and macros."
    )
    arena_bytes: int | None = Field(
        default=None,
        ge=16,
        description="RAM to declare as arena, in bytes; by default the smallest that works, "
        "as measured, plus 2 %.",
    )
    arduino: bool = Field(
        default=False, description="Write an Arduino sketch, in a folder named after the model."
    )
    seed: int = Field(
        default=0, ge=0, description="Seed of the made-up inputs of the golden vectors."
    )
    time_limit_s: float = Field(
        default=600.0,
        gt=0,
        allow_inf_nan=False,
        description="Time limit of TFLM, in seconds.",
    )

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not is_c_name(value):
            raise ValueError(
                f"{value!r} cannot name a function in C: write letters, digits and _, a letter "
                f"first, and not a name that C or its headers use"
            )
        return value
