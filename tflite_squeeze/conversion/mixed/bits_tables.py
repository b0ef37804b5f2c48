"""The bits of layers, as a table."""

from tflite_squeeze.conversion.mixed.bits_record import BitsRecord
from tflite_squeeze.tables.table import Cell, Table


def bits_tables(record: BitsRecord) -> tuple[Table, ...]:
    """What the weights of each layer got, and what they cost in more or fewer bits.

    Args:
        record: what was chosen.
    """
    columns = sorted({bits for one in record.layers for bits in one.losses}, reverse=True)
    rows: list[tuple[Cell, ...]] = [
        (one.layer, one.bits, one.bytes, *(_loss(one.losses.get(bits)) for bits in columns))
        for one in record.layers
    ]
    what = "accuracy" if record.labelled else "agreement with the model (there are no labels)"
    where = "samples held back from training" if record.held_out else "samples"
    table = Table(
        title="Bits of each layer",
        columns=("layer", "bits", "bytes", *(f"loss alone in {bits} bits" for bits in columns)),
        rows=tuple(rows),
        notes=(
            f"fewest bytes with at most {record.max_drop:.2%} less {what}, one standard error "
            f"included, on {record.chosen_on:,} {where}; files made and checked: {record.files}",
        ),
    )
    return (table,)


def _loss(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"
