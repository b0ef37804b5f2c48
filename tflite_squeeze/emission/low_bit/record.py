"""How weights with two or three values were stored."""

from typing import Literal

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tables.displayed import Displayed

LowBitMode = Literal["auto", "int2", "int4", "off"]


class LowBitTensor(Frozen):
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

    tensor: str
    operator: str
    shape: tuple[int, ...]
    values: int
    stored: Literal["int2", "int4", "int8", "float32"]
    bytes_before: int
    bytes_after: int
    reason: str = ""


class NarrowedTensor(Frozen):
    """An int8 weight whose integers fit into 4 bits.

    Attributes:
        tensor: its name in the file.
        operator: the operators that read it, as they were before.
        shape: its shape, outputs first.
        largest: the largest magnitude of its integers.
        stored: the type that it is stored in.
        bytes_before: its bytes in 8 bits.
        bytes_after: as stored.
        reason: why it is not stored in the fewest bits; empty where it is.
    """

    tensor: str
    operator: str
    shape: tuple[int, ...]
    largest: int
    stored: Literal["int2", "int4", "int8"]
    bytes_before: int
    bytes_after: int
    reason: str = ""


class FewBitTensor(Frozen):
    """A weight of a float file that was rounded to 8, 4 or 2 bits.

    Attributes:
        tensor: its name in the file.
        layer: the layer of the network whose grid it is on; empty where its scales were found in
            the file, with the least squared error.
        operator: the operator that reads it, as it was before.
        shape: its shape, outputs first.
        stored: the type that it is stored in; float32 where fewer bits take more bytes.
        form: "integers" where the operator multiplies them, "dequantized" where it gets floats.
        bytes_before: its bytes as float32.
        bytes_after: as stored, with scales.
    """

    tensor: str
    layer: str = ""
    operator: str
    shape: tuple[int, ...]
    stored: Literal["int2", "int4", "int8", "float32"]
    form: Literal["integers", "dequantized", "float"]
    bytes_before: int
    bytes_after: int


class LowBitRecord(Displayed):
    """The forms that were tried, and the one that was kept.

    Attributes:
        mode: the requested mode.
        stored: the type of Dense weights in the file; None where the float file was kept.
        tensors: every weight that has two or three values, as it is in the file.
        raw_bytes: the file's size by form: "float32", "int2", "int4".
        median_us: the same for a run, in turns; empty where nothing was measured.
        reason: why this form.
    """

    tables_by = ".tables:low_bit_tables"

    mode: LowBitMode
    stored: Literal["int2", "int4"] | None = None
    tensors: tuple[LowBitTensor, ...] = ()
    raw_bytes: dict[str, int] = {}
    median_us: dict[str, float] = {}
    reason: str = ""
