"""Factorization as tables."""

from collections.abc import Sequence

from tflite_squeeze.tables.table import Cell, Table
from tflite_squeeze.techniques.low_rank.record import FactorizeRecord, Split
from tflite_squeeze.training.tables import quality_note, skipped_tables

_COLUMNS = ("layer", "type", "scheme", "rank", "of", "parameters", "MACs", "error")


def factorize_tables(record: FactorizeRecord) -> list[Table]:
    """What factorization did to a model, layer by layer, and what it refused.

    Args:
        record: what was done.
    """
    timed = any(split.time is not None for split in record.layers)
    columns = (*_COLUMNS, "time") if timed else _COLUMNS
    table = Table(
        title=f"Factorization of {record.model}",
        columns=columns,
        rows=tuple(_row(split, timed=timed) for split in record.layers),
        notes=(*_notes(record), *record.notes),
    )
    return [table, *_trial_tables(record), *_refused_tables(record), *skipped_tables(record)]


def _trial_tables(record: FactorizeRecord) -> list[Table]:
    """The allocations of a budget that were measured whole."""
    if record.allocation is None or not record.allocation.trials:
        return []
    return [
        Table(
            title="Allocations of the budget",
            columns=("least sum of", "divergence as split", "repaired"),
            rows=tuple(
                (one.by, f"{one.divergence:.4g}",
                 "" if one.repaired is None else f"{one.repaired:.4g}")
                for one in record.allocation.trials
            ),
            notes=(f"divergence of the answers from the original's on "
                   f"{record.allocation.samples} held-back samples, all layers split at once",),
        )
    ]  # fmt: skip


def _refused_tables(record: FactorizeRecord) -> list[Table]:
    if not record.refused:
        return []
    return [
        Table(
            title="Refused",
            columns=("layer", "type", "scheme", "rank", "of", "reason"),
            rows=tuple(
                (*_row(refusal.split, timed=False)[:5], refusal.reason)
                for refusal in record.refused
            ),
        )
    ]


def _row(split: Split, *, timed: bool) -> tuple[Cell, ...]:
    row: tuple[Cell, ...] = (
        split.layer,
        split.layer_type,
        split.scheme,
        _numbers(split.ranks),
        _numbers(split.full_ranks),
        f"{split.parameters_before:,} → {split.parameters_after:,}",
        f"{split.macs_before:,} → {split.macs_after:,}",
        f"{split.error:.2%}" if split.data_aware else f"{split.error:.2%} of the weights",
    )
    if not timed:
        return row
    time = split.time
    shown = "" if time is None else f"{time.whole_us:.1f} → {time.split_us:.1f} us"
    return (*row, shown)


def _numbers(ranks: Sequence[int]) -> str:
    return " + ".join(str(rank) for rank in ranks)


def _notes(record: FactorizeRecord) -> list[str]:
    notes = [
        quality_note(record, "factorization"),
        f"parameters {record.parameters_before:,} → {record.parameters_after:,} "
        f"({record.parameters_ratio:.1%}), multiply-accumulates {record.macs_before:,} → "
        f"{record.macs_after:,} ({record.macs_ratio:.1%})",
    ]
    if any(split.data_aware for split in record.layers):
        notes.append("errors are those of the layer's outputs on samples, before training")
    if record.allocation is not None and record.allocation.by == "energy":
        notes.append("ranks by the energy of singular values, not by measured divergences")
    if record.repair is not None:
        one = record.repair
        kept = "" if one.kept else ", not kept"
        notes.append(
            f"{one.layers} layers solved by least squares on {one.samples} unlabelled samples"
            f"{kept}: divergence from the original's answers {one.before:.4g} → {one.after:.4g} on "
            f"{one.held_back} held-back ones"
        )
    if record.finetune is None:
        notes.append("factorized at once, without training")
    else:
        notes.append(f"trained for {record.finetune.epochs} epochs afterwards")
    if record.file_time is not None:
        time = record.file_time
        notes.append(
            f"the whole file: {time.whole_us:.1f} → {time.split_us:.1f} us on this machine, "
            f"{1 / time.ratio:.2f} times as fast, in turns"
        )
    notes += [f"NOT reached: {line}" for line in record.shortfalls]
    return notes
