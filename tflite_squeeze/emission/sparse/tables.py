"""How a file's zeros were stored, as tables."""

from tflite_squeeze.emission.sparse.plan import Encoding, TensorPlan
from tflite_squeeze.emission.sparse.record import SparsityRecord
from tflite_squeeze.tables.table import Cell, Table

_MANY_ZEROS = 0.5


def sparsity_tables(record: SparsityRecord) -> tuple[Table, ...]:
    """The tables of a sparsity record: the tensors, and what the file gains and pays.

    Args:
        record: what `with_best_encoding` returned.

    Returns:
        Two tables; none for a file without many zeros, or one that was to stay dense.

    Example:
        >>> [table.title for table in sparsity_tables(record)]
        ['Zeros', 'Sparse encoding']
    """
    worth_a_look = any(one.zeros >= _MANY_ZEROS for one in record.plan.tensors)
    if not (worth_a_look or record.plan.sparse_tensors):
        return ()
    return _tensors(record), _file(record)


def _tensors(record: SparsityRecord) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            one.tensor,
            one.dtype,
            f"{one.zeros:.1%}",
            *(_bytes(one, kind) for kind in ("dense", "csr", "blocks")),
            _written(one, record),
        )
        for one in record.plan.tensors
    ]
    return Table(
        title="Zeros",
        columns=("tensor", "dtype", "zeros", "dense (bytes)", "csr", "blocks", "written"),
        rows=tuple(rows),
        notes=("sparse encodings include positions and what they add to the graph",),
    )


def _bytes(tensor: TensorPlan, kind: str) -> int | None:
    return next((one.bytes for one in tensor.encodings if one.kind == kind), None)


def _written(tensor: TensorPlan, record: SparsityRecord) -> str:
    if tensor.chosen == "dense":
        return f"dense: {tensor.reason}"
    if not record.sparse:
        return "dense, see below"
    return _described(next(one for one in tensor.encodings if one.kind == tensor.chosen))


def _described(encoding: Encoding) -> str:
    return f"{encoding.kind}, {encoding.detail}"


def _file(record: SparsityRecord) -> Table:
    rows: list[tuple[Cell, ...]] = [
        ("file (bytes)", record.dense_raw_bytes, record.raw_bytes),
        ("download, gzip -9 (bytes)", record.dense_download_bytes, record.download_bytes),
        ("RAM for unpacked weights (bytes)", 0, record.unpacked_bytes),
    ]
    notes = [f"dense weights kept: {record.reason}"] if record.reason else []
    if record.run is not None:
        run = record.run
        rows.append(("median of a run, in turns (us)", run.dense_us, run.sparse_us))
        same = "bit for bit" if run.identical else "NOT"
        notes.append(
            f"the sparse file takes {run.latency_ratio:.2f} times as long as the dense one and "
            f"answers {same} as the same graph with dense weights does; largest difference from "
            f"the dense file: {run.max_abs_difference:.3g}"
        )
    notes += record.notes
    notes.append(f"sparse kernels: {record.plan.sparse_kernels}")
    return Table(
        title="Sparse encoding",
        columns=("", "dense", "written"),
        rows=tuple(rows),
        notes=tuple(notes),
    )
