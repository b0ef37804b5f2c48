"""Shared values in a file, as tables."""

from collections.abc import Sequence

from tflite_squeeze.emission.shared_values.record import SharedInFile
from tflite_squeeze.tables.table import Cell, Table

_RAW = (
    "counted in the file; shared values shrink the download, not the raw file: TFLite has no "
    "look-up tables"
)


def sharing_tables(found: Sequence[SharedInFile]) -> list[Table]:
    """How kernels whose weights share values were stored; no table where there are none.

    Args:
        found: what `shared_in_file` counted.
    """
    if not found:
        return []
    rows: list[tuple[Cell, ...]] = [
        (one.name, one.values, *((one.stored, one.scales) if one.tensor else ("", "")), _fate(one))
        for one in found
    ]
    return [
        Table(
            title="Shared values",
            columns=("weight", "in the model", "in the file", "scales", "kept"),
            rows=tuple(rows),
            notes=(_RAW,),
        )
    ]


def _fate(one: SharedInFile) -> str:
    if not one.tensor:
        return "not among the int8 weights"
    return "yes" if one.kept else "NO"
