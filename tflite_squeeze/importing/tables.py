"""What came of an import, as tables."""

from collections import Counter

from tflite_squeeze.importing.record import ImportRecord
from tflite_squeeze.tables.table import Table


def import_tables(record: ImportRecord) -> tuple[Table, ...]:
    """The layers of an imported model, and its inputs and outputs beside those of the file.

    Args:
        record: what `import_model` returned.

    Example:
        >>> [table.title for table in import_tables(record)]
        ['Layers', 'Inputs and outputs']
    """
    batches = " and ".join(map(str, record.batches))
    layers = Table(
        title="Layers",
        columns=("layer", "count"),
        rows=tuple(Counter(record.layers).most_common()),
        notes=(
            f"{record.operators} operators of opset {record.opset}; {record.parameters:,} "
            f"parameters",
            f"largest difference to {record.evaluator} at batches {batches}: "
            f"{record.largest_difference:.1e} of the largest output",
        ),
    )
    ends = Table(
        title="Inputs and outputs",
        columns=("in the file", "shape there", "in Keras", "shape here", "layout"),
        rows=tuple(
            (end.onnx_name, _shape(end.onnx_shape), end.name, _shape(end.shape), end.layout)
            for end in (*record.inputs, *record.outputs)
        ),
    )
    return layers, ends


def _shape(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))
