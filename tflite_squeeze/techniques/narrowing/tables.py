"""Narrower layers as tables."""

from tflite_squeeze.tables.table import Table
from tflite_squeeze.techniques.narrowing.record import NarrowedGroup, NarrowRecord, RefusedNarrowing
from tflite_squeeze.training.tables import quality_note, skipped_tables


def narrow_tables(record: NarrowRecord) -> list[Table]:
    """What narrowing did to a model, one group of layers of the same width at a time.

    Args:
        record: what was done.
    """
    narrowed = Table(
        title=f"Narrowing of {record.model}",
        columns=("layers", "channels before", "after", "removed, all zero"),
        rows=tuple(
            (_named(group), group.before, group.after, group.dead) for group in record.groups
        ),
        notes=(
            f"{record.parameters_before:,} → {record.parameters_after:,} parameters",
            *_how(record),
            quality_note(record, "narrowing"),
            *record.notes,
        ),
    )
    return [narrowed, *_searched(record), *_refused(record), *skipped_tables(record)]


def _how(record: NarrowRecord) -> list[str]:
    """What was done before any training."""
    notes = [f"channels were ranked by {' and '.join(record.scores)}"]
    repair = record.repair
    if repair is not None:
        quality = repair.quality
        came = "" if quality is None else f": {record.metric} {_shown(record.metric, quality)}"
        notes.append(
            f"{len(repair.layers)} layers were solved anew by least squares on {repair.samples} "
            f"samples, without training{came}"
        )
        if repair.left:
            notes.append(f"not solved, though their inputs changed: {', '.join(repair.left)}")
    return notes


def _shown(metric: str, quality: float) -> str:
    return f"{quality:.2%}" if metric == "accuracy" else f"{quality:.4g}"


def _searched(record: NarrowRecord) -> list[Table]:
    """What a search under a budget measured as a whole."""
    search = record.search
    if search is None:
        return []
    budget, keep = record.config.budget, record.config.keep
    return [
        Table(
            title=f"Widths under a budget of {keep:.0%} of the {budget}",
            columns=("widths", f"{budget} left", "divergence"),
            rows=tuple(
                (", ".join(map(str, one.widths)), f"{one.cost:.1%}", f"{one.divergence:.4f}")
                for one in sorted(search.trials, key=lambda one: one.divergence)
            ),
            notes=(f"judged on {search.held_back} samples that were held back, without labels",),
        )
    ]


def _named(group: NarrowedGroup | RefusedNarrowing) -> str:
    names = ", ".join(group.layers)
    return names if group.what == "channels" else f"{names} ({group.what})"


def _refused(record: NarrowRecord) -> list[Table]:
    if not record.refused:
        return []
    return [
        Table(
            title="Unchanged layers",
            columns=("layers", "channels", "reason"),
            rows=tuple((_named(group), group.channels, group.reason) for group in record.refused),
        )
    ]
