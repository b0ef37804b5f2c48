"""What packing a file gained, as a table."""

from tflite_squeeze.packing.record import PackRecord
from tflite_squeeze.tables.table import Table


def pack_tables(record: PackRecord, name: str = "a file") -> tuple[Table, ...]:
    """The table of a packed file.

    Args:
        record: what `pack_record` returned.
        name: of the file.

    Example:
        >>> [table.title for table in pack_tables(record, "lenet.tflite")]
        ['Packing of lenet.tflite']
    """
    rows = (
        ("the .tflite file", record.raw_bytes),
        ("gzip -9", record.download_bytes),
        ("xz -9", record.xz_bytes),
        ("packed (.tflite.sqz)", record.packed_bytes),
    )
    gain = 1 - record.packed_bytes / record.download_bytes
    notes = [
        f"{gain:+.1%} saved over gzip -9; weights in an ideal order-0 coder: "
        f"{record.entropy_bytes:,} bytes",
        "unpacked, it is bit by bit the same file; it does not run packed",
    ]
    if record.refusal:
        notes.append(record.refusal)
    return (
        Table(
            title=f"Packing of {name}",
            columns=("form", "bytes", "share"),
            rows=tuple((form, size, size / record.raw_bytes) for form, size in rows),
            notes=tuple(notes),
            bar="share",
        ),
    )
