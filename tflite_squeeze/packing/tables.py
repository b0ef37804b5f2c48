"""What packing a file gained, as a table."""

from tflite_squeeze.packing.ledger import PackedLedger
from tflite_squeeze.packing.record import PackRecord
from tflite_squeeze.tables.table import Table


def pack_tables(record: PackRecord, name: str = "a file") -> tuple[Table, ...]:
    """The tables of a packed file: its size beside that of other forms, and what it is for.

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
    if record.stripped:
        notes.append("names of tensors, description and metadata were removed first, for good")
    if record.refusal:
        notes.append(record.refusal)
    sizes = Table(
        title=f"Packing of {name}",
        columns=("form", "bytes", "share"),
        rows=tuple((form, size, size / record.raw_bytes) for form, size in rows),
        notes=tuple(notes),
        bar="share",
    )
    return (sizes,) if record.ledger is None else (sizes, _ledger(record.ledger))


def _ledger(ledger: PackedLedger) -> Table:
    """What the bytes of the packed file are for."""
    rows = (
        ("weights", ledger.weights_bytes),
        ("biases", ledger.biases_bytes),
        ("scales and zero points", ledger.scales_bytes),
        ("graph", ledger.graph_bytes),
        ("metadata", ledger.metadata_bytes),
        ("head: magic number, hash, size", ledger.head_bytes),
    )
    whole = sum(size for _, size in rows)
    return Table(
        title="Bytes of the packed file",
        columns=("part", "bytes", "share"),
        rows=tuple((part, round(size), size / whole) for part, size in rows),
        notes=(f"every reader carries {ledger.dictionary_bytes:,} bytes of common pieces",),
        bar="share",
    )
