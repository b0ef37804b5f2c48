"""The record of an export for a microcontroller."""

from tflite_squeeze.microcontrollers.export.config import ExportMicro
from tflite_squeeze.microcontrollers.record import Arena, MicroOperator
from tflite_squeeze.tables.displayed import Displayed


class MicroExportRecord(Displayed):
    """The files written, and the memory that they take.

    Attributes:
        file: the file's name; None for bytes.
        sha256: of its content.
        config: the options.
        tflm: version of TFLM that measured.
        arena_bytes: the arena that the header declares.
        arena: how much of it TFLM's interpreter used.
        flash_bytes: the model's array.
        operators: what the resolver registers.
        golden_cases: how many golden vectors there are.
        golden_bytes: their size in flash, where the self-test is linked in.
        golden_tells: whether their outputs hold more than one value.
        files: bytes of every file by its path in the folder.
    """

    tables_by = ".tables:micro_export_tables"

    file: str | None
    sha256: str
    config: ExportMicro
    tflm: str
    arena_bytes: int
    arena: Arena
    flash_bytes: int
    operators: tuple[MicroOperator, ...]
    golden_cases: int
    golden_bytes: int
    golden_tells: bool
    files: dict[str, int]
