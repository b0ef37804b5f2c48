"""Where the bytes of a .tflite file go, as tables."""

from tflite_squeeze.tables.table import Cell, Table
from tflite_squeeze.tflite.size import SizeLedger


def size_tables(ledger: SizeLedger) -> tuple[Table, ...]:
    """The tables of a size ledger: its parts, then the data by type.

    Args:
        ledger: what `size_ledger` returned.

    Returns:
        Two tables; the shares are of the file's size.

    Example:
        >>> [table.title for table in size_tables(ledger)]
        ['Size', 'Data by type']
    """
    return _parts(ledger), _types(ledger)


def _parts(ledger: SizeLedger) -> Table:
    parts = (
        ("weights", ledger.weights_bytes),
        ("constants (shapes, axes)", ledger.constants_bytes),
        ("scales and zero points", ledger.quantization_bytes),
        ("metadata", ledger.metadata_bytes),
        ("graph (operators, tensors, names)", ledger.graph_bytes),
        ("file", ledger.raw_bytes),
    )
    notes = [
        f"download (gzip -9): {ledger.download_bytes:,} bytes",
        f"weights in an ideal order-0 coder: {ledger.entropy_bytes:,} bytes",
        f"{ledger.parameters:,} parameters, {ledger.zeros:,} of them zero; "
        f"{ledger.macs:,} multiply-accumulates a run",
        f"weights as indices into tables of their values: {ledger.lookup_bytes:,} bytes, for a "
        f"runtime that looks them up; TFLite does not, so shared values do not shrink the raw file",
    ]
    if ledger.binary_macs:
        notes.append(f"{ledger.binary_macs:,} multiply-accumulates on single bits")
    if ledger.unknown_macs:
        notes.append(f"multiply-accumulates not known of: {', '.join(ledger.unknown_macs)}")
    if ledger.sparse_density is not None:
        notes.append(
            f"sparse tensors: {ledger.sparse_tensors}, {ledger.sparse_bytes:,} bytes with their "
            f"indices, {ledger.sparse_density:.1%} of their numbers are not zero"
        )
    return Table(
        title="Size",
        columns=("part", "bytes", "share"),
        rows=tuple((name, size, _share(size, ledger)) for name, size in parts),
        notes=tuple(notes),
        bar="share",
    )


def _types(ledger: SizeLedger) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (dtype, size, _share(size, ledger))
        for dtype, size in sorted(ledger.bytes_per_dtype.items(), key=lambda item: -item[1])
    ]
    return Table(
        title="Data by type", columns=("dtype", "bytes", "share"), rows=tuple(rows), bar="share"
    )


def _share(size: int, ledger: SizeLedger) -> float:
    return size / ledger.raw_bytes
