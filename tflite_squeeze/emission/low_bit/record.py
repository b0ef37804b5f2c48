"""What became of weights with two or three values, in numbers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from tflite_squeeze.emission.low_bit.low_bit_plan import LowBitMode, LowBitTensor
from tflite_squeeze.tables.displayed import Displayed


class LowBitRecord(Displayed, BaseModel):
    """The forms that were tried, and the one that was kept.

    Attributes:
        mode: what was asked for.
        stored: the type of Dense weights in the file; None where the float file was kept.
        tensors: every weight that has two or three values, as it is in the file.
        raw_bytes: the file's size by form: "float32", "int2", "int4".
        median_us: the same for a run, in turns; empty where nothing was measured.
        reason: why this form.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: LowBitMode
    stored: Literal["int2", "int4"] | None = None
    tensors: tuple[LowBitTensor, ...] = ()
    raw_bytes: dict[str, int] = {}
    median_us: dict[str, float] = {}
    reason: str = ""
