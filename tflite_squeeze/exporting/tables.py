"""What came of an export to ONNX, as tables."""

from tflite_squeeze.exporting.record import OnnxAgreement, OnnxEndpoint, OnnxExportRecord
from tflite_squeeze.tables.table import Cell, Table


def onnx_export_tables(record: OnnxExportRecord) -> tuple[Table, ...]:
    """The file, and how far its outputs are from what it was made from.

    Args:
        record: what `export_onnx` returned.

    Example:
        >>> [table.title for table in onnx_export_tables(record)]
        ['ONNX file of lenet_5', 'Outputs beside the model, 16 examples']
    """
    operators = ", ".join(f"{count}x {kind}" for kind, count in record.operators.items())
    file = Table(
        title=f"ONNX file of {record.source}",
        columns=("", "value"),
        rows=(
            ("quantization", record.quantization),
            ("file", f"{record.raw_bytes:,} bytes"),
            ("download (gzip -9)", f"{record.download_bytes:,} bytes"),
            ("opset", record.config.opset),
            ("operators", f"{sum(record.operators.values())}: {operators}"),
            *(("input", _said(one)) for one in record.inputs),
            *(("output", _said(one)) for one in record.outputs),
        ),
        notes=record.notes,
    )
    batches = " and ".join(map(str, record.batches))
    note = f"computed by {record.evaluator}, batches {batches}"
    title = f"Outputs beside {record.beside}, {record.examples} examples"
    if record.agreement[0].step is None:
        columns: tuple[str, ...] = ("output", "max |Δ| / largest value")
        rows: list[tuple[Cell, ...]] = [
            (one.output, f"{one.largest:.1e}") for one in record.agreement
        ]
    else:
        columns = ("output", "step", "same", "mean |Δ| (steps)", "max |Δ| (steps)")
        rows = [_in_steps(one) for one in record.agreement]
    return file, Table(title=title, columns=columns, rows=tuple(rows), notes=(note,))


def _said(end: OnnxEndpoint) -> str:
    sizes = ", ".join("batch" if size < 0 else str(size) for size in end.shape)
    return f"{end.name}: {end.dtype} ({sizes})"


def _in_steps(one: OnnxAgreement) -> tuple[Cell, ...]:
    mean, largest = one.mean_steps or 0.0, one.largest_steps or 0.0
    return one.output, one.step, f"{one.same:.2%}", round(mean, 4), round(largest, 2)
