"""A verification as tables."""

import math
from collections.abc import Sequence

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.tables.table import Cell, Table, points
from tflite_squeeze.verification.labels import Accuracy, ColumnErrors
from tflite_squeeze.verification.limits import Tolerance
from tflite_squeeze.verification.parts import AxisFidelity
from tflite_squeeze.verification.record import OutputFidelity, TensorFidelity, VerifyRecord

_TENSORS_SHOWN = 12


def verify_tables(record: VerifyRecord, told: Sequence[str] = ()) -> list[Table]:
    """The comparison of a file with its model.

    Args:
        record: what was found.
        told: notes that a table above shows already.

    Returns:
        One table of outputs, one of accuracies and one of errors by column where there are
        labels, one of the parts that are lost, and, for a file that failed, one of the tensors
        inside.
    """
    several = len({item.signature for item in record.outputs}) > 1
    tables = [_fidelity(record, told, several=several)]
    labelled = [(item, item.accuracy) for item in record.outputs if item.accuracy is not None]
    if labelled:
        tables.append(_accuracies(labelled, several=several))
    for item in record.outputs:
        name = _name(item, several=several)
        if item.errors is not None:
            tables.append(_errors(name, item.errors))
        tables += [_lost(name, axis, record.tolerance) for axis in item.parts if axis.lost]
    if record.tensors:
        tables.append(_inside(record))
    return tables


def verdict(record: VerifyRecord) -> str:
    """One line on whether the file passed, and if not, why.

    Args:
        record: what was found.
    """
    if record.passed:
        return f"verified: the file answers as the model does on {_samples(record)}"
    where = f"; it diverges first at {record.diverges_at}" if record.diverges_at else ""
    return f"failed: {'; '.join(record.failures)}{where}"


def _samples(record: VerifyRecord) -> str:
    what = "real sample" if record.real_samples else "random input"
    return f"{record.examples} {what}{'' if record.examples == 1 else 's'}"


def _name(item: OutputFidelity, *, several: bool) -> str:
    return f"{item.signature}: {item.output}" if several else item.output


def _fidelity(record: VerifyRecord, told: Sequence[str], *, several: bool) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            _name(item, several=several),
            f"{item.max_abs_difference:.3g}",
            f"{item.mean_abs_difference:.3g}",
            _decibels(item.sqnr_db),
            f"{item.cosine:.6f}",
            None if item.agreement is None else f"{item.agreement:.2%}",
        )
        for item in record.outputs
    ]
    limits = record.tolerance
    kind = "float32" if record.quantization is Quantization.NONE else record.quantization.value
    return Table(
        title=f"File ({kind}) beside model, {_samples(record)}",
        columns=("output", "max |Δ|", "mean |Δ|", "SQNR (dB)", "cosine", "same class"),
        rows=tuple(rows),
        notes=(
            f"limits: SQNR ≥ {limits.min_sqnr_db:g} dB, of each column about its mean ≥ "
            f"{limits.min_part_db:g} dB, same class ≥ {limits.min_agreement:.0%}, "
            f"accuracy falls by ≤ {limits.max_drop:.2%}",
            *(note for note in record.notes if note not in told),
        ),
    )


def _accuracies(labelled: list[tuple[OutputFidelity, Accuracy]], *, several: bool) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            _name(item, several=several),
            f"{accuracy.reference:.2%}",
            f"{accuracy.file:.2%}",
            points(accuracy.difference),
            f"[{points(accuracy.low)}, {points(accuracy.high)}]",
            accuracy.examples,
        )
        for item, accuracy in labelled
    ]
    return Table(
        title="Accuracy on the same labelled examples",
        columns=("output", "model", "file", "Δ (points)", "95 % interval", "examples"),
        rows=tuple(rows),
    )


def _errors(name: str, errors: ColumnErrors) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (one.column, f"{one.reference:.4g}", f"{one.file:.4g}", f"{one.rise:+.2%}")
        for one in errors.worst
    ]
    more = errors.count - len(rows)
    return Table(
        title=f"Mean absolute error of {name} against the labels",
        columns=("column", "model", "file", "Δ, of the labels' spread"),
        rows=tuple(rows),
        notes=(f"and {more} more columns, which rise less",) if more else (),
    )


def _lost(name: str, axis: AxisFidelity, limits: Tolerance) -> Table:
    shown = axis.worst[: axis.lost]
    rows: list[tuple[Cell, ...]] = [
        (
            part.index,
            f"{part.mean:.4g} ± {part.spread:.2g}",
            "constant" if part.frozen else "",
            _decibels(part.sqnr_db),
        )
        for part in shown
    ]
    more = axis.lost - len(shown)
    what = "Columns" if axis.axis == -1 else f"Indexes of axis {axis.axis}"
    return Table(
        title=f"{what} of {name} that are lost, below {limits.min_part_db:g} dB",
        columns=("index", "model, mean ± deviation", "file", "SQNR about its mean (dB)"),
        rows=tuple(rows),
        notes=(f"and {more} more of {axis.count}",) if more else (),
    )


def _inside(record: VerifyRecord) -> Table:
    """Around the first tensor that collapses."""
    names = [item.tensor for item in record.tensors]
    at = names.index(record.diverges_at) if record.diverges_at in names else 0
    start = max(0, at - 3)
    shown = record.tensors[start : start + _TENSORS_SHOWN]
    rows: list[tuple[Cell, ...]] = [_row(item, here=item is record.tensors[at]) for item in shown]
    left_out = len(record.tensors) - len(shown)
    notes = (f"{left_out} other tensors are in the JSON record",) if left_out else ()
    return Table(
        title="Inside the file, beside a float conversion of the same model",
        columns=("", "tensor", "operator", "SQNR (dB)", "max |Δ|", "worst part (dB)"),
        rows=tuple(rows),
        notes=notes,
    )


def _row(item: TensorFidelity, *, here: bool) -> tuple[Cell, ...]:
    name = item.tensor if len(item.tensor) <= 60 else f"{item.tensor[:57]}…"
    return (
        "→" if here else "",
        name,
        item.operator,
        _decibels(item.sqnr_db),
        f"{item.max_abs_difference:.3g}",
        f"{item.part}: {_decibels(item.part_db)}" if item.part else _decibels(item.part_db),
    )


def _decibels(value: float) -> str:
    if math.isinf(value):
        return "exact" if value > 0 else "-∞"
    return f"{value:.1f}"
