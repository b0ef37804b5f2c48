"""Binarization as tables."""

from tflite_squeeze.tables.table import Cell, Table
from tflite_squeeze.techniques.binarization.record import BinarizeRecord
from tflite_squeeze.training.tables import quality_note, skipped_tables

_FLOAT_BITS = 32


def binarize_tables(record: BinarizeRecord) -> list[Table]:
    """What binarization did to a model: weights, the layers around them, what stayed.

    Args:
        record: what was done.
    """
    rows: list[tuple[Cell, ...]] = [
        (
            weight.name,
            weight.layer_type,
            f"{weight.parameters:,}",
            weight.bits,
            "float" if weight.input_bits >= _FLOAT_BITS else weight.input_bits,
            weight.scales,
            f"{weight.zeros / weight.parameters:.1%}",
            _flips(record, weight.name),
        )
        for weight in record.weights
    ]
    title = f"Binarization of {record.model}: {record.packed_bytes:,} bytes of weights, packed"
    table = Table(
        title=title,
        columns=(
            "weight", "layer", "parameters", "bits", "input bits", "scales", "zeros", "last flips",
        ),
        rows=tuple(rows),
        notes=(*_notes(record), *record.notes),
    )  # fmt: skip
    return [table, *_changes(record), *skipped_tables(record)]


def _flips(record: BinarizeRecord, name: str) -> str:
    """The share of signs that flipped in the last epoch, where that was logged."""
    values = record.history.get(f"flip_ratio/{name}")
    return f"{values[-1]:.2%}" if values else ""


def _notes(record: BinarizeRecord) -> list[str]:
    notes = [
        quality_note(record, "binarizing"),
        f"{record.float_bytes:,} bytes in float32, {record.float_bytes / record.packed_bytes:.1f} "
        f"times as many",
    ]
    if record.finetune is None:
        notes.append("quantized at once, without training: train to recover accuracy")
    else:
        notes.append(f"trained for {record.finetune.epochs} epochs ({record.config.stages})")
    if record.config.inputs == "binary":
        notes.append("convert it with --runtime larq: the stock runtime does not store single bits")
    else:
        notes.append("convert writes these weights in 2 bits, exactly: see convert --low-bit")
    return notes


def _changes(record: BinarizeRecord) -> list[Table]:
    if not record.changes:
        return []
    return [
        Table(
            title="Reordered layers",
            columns=("layer", "change"),
            rows=tuple((one.layer, one.change) for one in record.changes),
        )
    ]
