"""What is inside a model or a file, as tables."""

from tflite_squeeze.inspection.record import InspectRecord, LayerRecord
from tflite_squeeze.network.quantization.plan_table import plan_table
from tflite_squeeze.tables.table import Cell, Table, shape_text
from tflite_squeeze.tflite.graph import OperatorRecord, WeightRecord
from tflite_squeeze.tflite.size_tables import size_tables

_MOST_PLANNED = 40  # tensors of the plan, unless all are asked for
_WEIGHT_COLUMNS = ("params", "MACs", "bytes", "zeros", "distinct", "dtype")


def inspect_tables(record: InspectRecord, *, weights: bool = False) -> tuple[Table, ...]:
    """The tables of an inspection: layers or operators, the size of a file, the advice.

    Args:
        record: what `inspect` returned.
        weights: whether to list every weight tensor too, and the whole quantization plan.

    Returns:
        The tables, the advice last. Zeros and distinct values are those of the largest weight
        tensor of a layer, its kernel.

    Example:
        >>> [table.title for table in inspect_tables(inspect("lenet_5.keras"))]
        ['Layers of lenet_5', 'Advice']
    """
    listing = [_layers(record)] if record.layers else _subgraphs(record)
    size = size_tables(record.size) if record.size is not None else ()
    every = (_weights(record),) if weights else ()
    return (*listing, *every, *size, *_plan(record, whole=weights), _advice(record))


def _plan(record: InspectRecord, *, whole: bool) -> tuple[Table, ...]:
    if record.plan is not None:
        see_all = "--verbose weights lists all, --plan FILE writes them as YAML"
        most = None if whole else _MOST_PLANNED
        return (plan_table(record.plan, most=most, see_all=see_all),)
    if record.no_plan is not None:
        return (
            Table(title="Quantization plan", columns=("tensor",), rows=(), notes=(record.no_plan,)),
        )
    return ()


def _layers(record: InspectRecord) -> Table:
    return Table(
        title=f"Layers of {record.name}",
        columns=("layer", "kind", "output", *_WEIGHT_COLUMNS),
        rows=tuple(
            (layer.name, layer.kind, _shape(layer.output), *_cost(layer)) for layer in record.layers
        ),
        notes=(
            f"{record.parameters:,} parameters in {record.weights_bytes:,} bytes, "
            f"{record.zeros:,} of them zero; {record.macs:,} multiply-accumulates for one example",
            *_unknown(record),
        ),
    )


def _subgraphs(record: InspectRecord) -> list[Table]:
    count = 1 + max((operator.subgraph for operator in record.operators), default=0)
    return [_operators(record, subgraph) for subgraph in range(count)]


def _operators(record: InspectRecord, subgraph: int) -> Table:
    which = f", subgraph {subgraph}" if subgraph else ""
    rows: list[tuple[Cell, ...]] = [
        (
            operator.index,
            operator.name,
            " ".join(_shape(shape) for shape in operator.inputs),
            " ".join(_shape(shape) for shape in operator.outputs),
            *_cost(operator),
        )
        for operator in record.operators
        if operator.subgraph == subgraph
    ]
    return Table(
        title=f"Operators of {record.name}{which}",
        columns=("#", "operator", "input", "output", *_WEIGHT_COLUMNS),
        rows=tuple(rows),
    )


def _weights(record: InspectRecord) -> Table:
    owners = [(layer.name, layer.weights) for layer in record.layers]
    owners += [(operator.place, operator.weights) for operator in record.operators]
    rows: list[tuple[Cell, ...]] = [
        (owner, one.name, _shape(one.shape), one.dtype, one.stored_bytes, one.zeros,
         one.distinct or None)
        for owner, weights in owners
        for one in weights
    ]  # fmt: skip
    return Table(
        title="Weights",
        columns=("of", "name", "shape", "dtype", "bytes", "zeros", "distinct"),
        rows=tuple(rows),
    )


def _cost(part: LayerRecord | OperatorRecord) -> tuple[Cell, ...]:
    """Parameters, multiply-accumulates, bytes; zeros, distinct values and type of the kernel."""
    macs: Cell = "unknown" if part.macs is None else part.macs or None
    if isinstance(part, OperatorRecord) and part.binary_macs:
        macs = f"{part.binary_macs:,} binary"
    computed = part.dtype if isinstance(part, OperatorRecord) else None
    if not part.weights:
        return None, macs, None, None, None, computed
    kernel: WeightRecord = part.weights[0]
    mixed = computed not in (None, kernel.dtype)
    return (
        part.parameters,
        macs,
        part.weights_bytes,
        kernel.zeros,
        kernel.distinct or None,
        f"{computed} x {kernel.dtype}" if mixed else kernel.dtype,
    )


def _shape(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "unknown"
    return shape_text(shape)


def _unknown(record: InspectRecord) -> tuple[str, ...]:
    if not record.unknown_macs:
        return ()
    return (f"multiply-accumulates not known of: {', '.join(record.unknown_macs)}",)


def _advice(record: InspectRecord) -> Table:
    notes = [] if record.advice else ["nothing to improve was found"]
    if record.run_us is not None:
        notes.append(f"one run takes {record.run_us:,.1f} µs on this machine (1 thread)")
    elif record.operators:
        notes.append(f"not measured: {record.not_measured}")
    return Table(
        title="Advice",
        columns=("about", "what and why"),
        rows=tuple((one.kind.value.replace("_", " "), one.text) for one in record.advice),
        notes=tuple(notes),
    )
