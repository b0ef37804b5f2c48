"""Training with the price of bytes as tables."""

from tflite_squeeze.tables.table import Cell, Table
from tflite_squeeze.techniques.entropy.record import EntropyRecord
from tflite_squeeze.training.tables import quality_note, skipped_tables


def entropy_tables(record: EntropyRecord) -> list[Table]:
    """What the training did to a model, weight by weight, and the curve of rate and quality.

    Args:
        record: what was done.
    """
    rows: list[tuple[Cell, ...]] = [
        (
            one.name, f"{one.parameters:,}", f"{one.zeros_after:,}", one.distinct, one.largest,
            f"{one.steps[0]:.4g}" if len(one.steps) == 1 else f"{len(one.steps)}, one a channel",
            f"{one.code_bytes:,.0f}",
        )
        for one in record.weights
    ]  # fmt: skip
    table = Table(
        title=f"Entropy-penalized training of {record.model}: {record.code_bytes:,.0f} bytes",
        columns=("weight", "parameters", "zeros", "values", "largest", "step", "code bytes"),
        rows=tuple(rows),
        notes=(*_notes(record), *record.notes),
    )
    return [table, _curve(record), *skipped_tables(record)]


def _notes(record: EntropyRecord) -> list[str]:
    notes = [quality_note(record, "entropy-penalized training")]
    target = record.config.target_bytes
    if target is not None:
        found = f"λ {record.curve[-1].penalty:.3g} in the end" if record.curve else "no training"
        notes.append(f"a code of {target:,} bytes was asked for: {found}")
    if record.emptied:
        notes.append(f"{record.emptied:,} weights of one step became zero to meet the target")
    if not record.reached:
        notes.append(f"the target was missed: {record.code_bytes:,.0f} bytes")
    notes.append(
        "code bytes: of an ideal coder that knows how often each integer occurs; a packed file has "
        "the graph on top"
    )
    return notes


def _curve(record: EntropyRecord) -> Table:
    return Table(
        title="Rate and quality by epoch",
        columns=("epoch", "code bytes", record.metric, "λ"),
        rows=tuple(
            (
                one.epoch,
                f"{one.code_bytes:,.0f}",
                "" if one.quality is None else one.quality,
                one.penalty,
            )
            for one in record.curve
        ),
        notes=("measured on up to 5,000 held-back examples",),
    )
