"""What is decided about weights that have two or three values, and why."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

LowBitMode = Literal["auto", "int2", "int4", "off"]


class LowBitTensor(BaseModel):
    """A weight tensor whose channels hold only -s, 0 and s.

    Attributes:
        tensor: its name in the file.
        operator: the operator that reads it, as it was before.
        shape: its shape, outputs first.
        values: 2 or 3, the most that one channel has.
        stored: the type that it is stored in.
        bytes_before: its bytes as float32.
        bytes_after: as stored, with scales and zero points.
        reason: why it is not stored in the fewest bits; empty where it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tensor: str
    operator: str
    shape: tuple[int, ...]
    values: int
    stored: Literal["int2", "int4", "int8", "float32"]
    bytes_before: int
    bytes_after: int
    reason: str = ""
