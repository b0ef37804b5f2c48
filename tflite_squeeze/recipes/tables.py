"""A run of a recipe as tables."""

from tflite_squeeze.recipes.report import Outcome, Report, StepReport
from tflite_squeeze.tables.table import Cell, Table, points
from tflite_squeeze.verification.tables import verify_tables

_LONGEST_CLAIMS = 40
_UNITS = {
    "max_drop": "accuracy lost",
    "raw_bytes": "bytes",
    "download_bytes": "bytes, gzip -9",
    "packed_bytes": "bytes, .sqz",
    "latency_ms": "ms a run",
    "min_agreement": "same class",
}


def squeeze_tables(report: Report) -> list[Table]:
    """What a run made of a model, step by step, and whether it is what was asked.

    Args:
        report: the evidence.
    """
    tables = [summary_table(report, (*remarks(report), *_met(report))), steps_table(report)]
    if report.outcome is not None:
        tables += [*limit_tables(report.outcome), claims_table(report.outcome)]
        if report.outcome.conversion.verification is not None:
            tables += verify_tables(report.outcome.conversion.verification, _about_data(report))
    return [*tables, _versions(report)]


def quality_text(metric: str, value: float | None) -> str:
    """A quality for display.

    Example:
        >>> quality_text("accuracy", 0.9104)
        '91.04%'
    """
    if value is None:
        return "not measured"
    return f"{value:.2%}" if metric == "accuracy" else f"{value:.4g}"


def summary_table(report: Report, notes: tuple[str, ...]) -> Table:
    """The model in float32 beside the result.

    Args:
        report: the evidence.
        notes: what stands below it.
    """
    base, outcome = report.baseline, report.outcome
    plain = base.plain
    rows: list[tuple[Cell, ...]] = []
    if outcome is not None:
        file, packed = outcome.file, outcome.packing
        rows = [
            _compared("file (bytes)", plain.raw_bytes, file.raw_bytes),
            _compared("download, gzip -9 (bytes)", plain.download_bytes, file.download_bytes),
            *(
                [_compared("packed, .sqz (bytes)", plain.download_bytes, packed.packed_bytes)]
                if packed
                else []
            ),
            _compared("parameters", plain.parameters, file.parameters),
            _compared("parameters that are not 0", plain.nonzeros, file.nonzeros),
            _compared("most distinct values of a weight", plain.distinct, file.distinct),
            _compared("multiply-accumulates a run", plain.macs, file.macs),
        ]
        if outcome.latency is not None:
            time = outcome.latency
            rows.append(
                ("run, one thread (µs)", f"{time.plain_us:,.1f}", f"{time.result_us:,.1f}",
                 _speed(time.over_plain))
            )  # fmt: skip
        rows += _qualities(outcome)
    return Table(
        title=f"{report.recipe['name']} on {report.model.name}",
        columns=("", "model in float32", "result", "result against it"),
        rows=tuple(rows),
        notes=notes,
    )


def _speed(ratio: float) -> str:
    """The time of the result over that of the model in float32, in words."""
    return f"{1 / ratio:.2f}x faster" if ratio <= 1 else f"{ratio:.2f}x SLOWER"


def _compared(what: str, before: int, after: int) -> tuple[Cell, ...]:
    ratio = f"{before / after:.1f}x smaller" if 0 < after < before else ""
    return what, f"{before:,}", f"{after:,}", ratio


def _qualities(outcome: Outcome) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for one in outcome.comparison.outputs if outcome.comparison else ():
        if one.accuracy is not None:
            found = one.accuracy
            change = (
                f"{points(found.difference)} points [{points(found.low)}, {points(found.high)}]"
            )
            rows.append(
                (f"accuracy, {one.output}", f"{found.reference:.2%}", f"{found.file:.2%}", change)
            )
        elif one.agreement is not None:
            rows.append((f"same class, {one.output}", "", f"{one.agreement:.2%}", ""))
        else:
            rows.append((f"SQNR, {one.output} (dB)", "", f"{one.sqnr_db:.1f}", ""))
    return rows


def remarks(report: Report) -> tuple[str, ...]:
    """What the figures of the summary have to be read with.

    Args:
        report: the evidence.
    """
    notes = list(report.notes)
    if report.baseline.quantize is not None:
        times = ", ".join(f"{kind} {us:,.1f}" for kind, us in report.baseline.choices_us.items())
        notes.append(
            f"quantization {report.baseline.quantize}, the fastest here; µs a run of the unchanged "
            f"model: {times}"
        )
    latency = report.outcome.latency if report.outcome else None
    if latency is not None:
        notes.append(
            f"the unchanged model, converted as the recipe says: {latency.start_us:,.1f} µs a run "
            f"(the result takes {latency.over_start:.2f} times that), "
            f"{report.baseline.start.raw_bytes:,} bytes, {report.baseline.start.download_bytes:,} "
            f"to download"
        )
        if latency.over_plain > 1:
            note = "a run is not faster than that of the unchanged model in float32"
            if report.baseline.quantize is None:
                note += ": where speed matters, try `fastest_of: [int8, none]`"
            notes.append(note)
    return tuple(notes)


def _met(report: Report) -> tuple[str, ...]:
    """Whether all that was asked is met, and what it took."""
    notes = [f"NOT met: {line}" for line in report.failures]
    notes += for_now(report)
    if report.passed:
        notes.append("every check, limit and claim is met")
    notes.append(
        f"{report.seconds:,.0f} s in all, on {report.machine.cpu}; data: "
        f"{report.data.get('source', 'none')}"
    )
    return (*notes, *_about_data(report))


def for_now(report: Report) -> list[str]:
    """The file that may be used where the recipe is not met; empty without one.

    Args:
        report: the evidence.
    """
    if report.passing is None:
        return []
    return [f"{report.passing}, the unchanged model, passes its check: use that for now"]


def _about_data(report: Report) -> tuple[str, ...]:
    return tuple(report.data.get("notes", ()))


def steps_table(report: Report) -> Table:
    """The steps, each with the file that the model would be after it.

    Args:
        report: the evidence.
    """
    base = report.baseline
    metric = base.metric
    start = base.start
    rows: list[tuple[Cell, ...]] = [
        ("0", "the model as it is", "", quality_text(metric, base.quality), start.raw_bytes,
         start.download_bytes, start.nonzeros, start.distinct, start.macs, None)
    ]  # fmt: skip
    rows += [_step(step) for step in report.steps]
    left = len(report.recipe["steps"]) - len(report.steps)
    notes = []
    for step in report.steps:
        name = f"step {step.number} ({step.technique})"
        notes += [f"{name} softened: {line}" for line in step.softened]
        notes += [f"{name} {step.status}: {'; '.join(step.reasons)}"] if step.reasons else []
    if left:
        notes.append(f"{left} more step{'s' if left > 1 else ''} not run")
    return Table(
        title="Steps; each file is converted as the recipe says",
        columns=("#", "step", "status", metric, "bytes", "download", "not 0", "distinct", "MACs",
                 "seconds"),
        rows=tuple(rows),
        notes=tuple(notes),
    )  # fmt: skip


def _step(step: StepReport) -> tuple[Cell, ...]:
    file = step.file
    sizes: tuple[Cell, ...] = (None,) * 5
    if file is not None:
        sizes = (file.raw_bytes, file.download_bytes, file.nonzeros, file.distinct, file.macs)
    quality = quality_text(step.metric, step.after)
    status = f"{step.status}, softened" if step.softened else step.status
    return str(step.number), step.technique, status, quality, *sizes, round(step.seconds, 1)


def limit_tables(outcome: Outcome) -> list[Table]:
    """The limits beside what was measured; no table without limits.

    Args:
        outcome: the file at the end of the run.
    """
    if not outcome.limits:
        return []
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (limit.limit, _UNITS[limit.limit], limit.bound, limit.found,
         "met" if limit.passed else "NOT met")
        for limit in outcome.limits
    )  # fmt: skip
    return [Table(title="Limits", columns=("limit", "of", "bound", "found", ""), rows=rows)]


def claims_table(outcome: Outcome) -> Table:
    """The claims, those that fail first; a long list is cut, and the JSON has all of it.

    Args:
        outcome: the file at the end of the run.
    """
    order = {False: 0, None: 1, True: 2}
    said = {False: "NOT met", None: "cannot be told", True: "met"}
    checks = sorted(outcome.claims, key=lambda check: order[check.passed])
    met = sum(check.passed is True for check in checks)
    notes = [f"{met} of {len(checks)} claims are met in the bytes of the file"]
    if len(checks) > _LONGEST_CLAIMS:
        notes.append(f"{len(checks) - _LONGEST_CLAIMS} more are in report.json")
    return Table(
        title="Claims, checked in the bytes",
        columns=("weight", "claim", "claimed", "in the file", ""),
        rows=tuple(
            (check.weight, check.kind, check.claimed, check.found, said[check.passed])
            for check in checks[:_LONGEST_CLAIMS]
        ),
        notes=tuple(notes),
    )


def _versions(report: Report) -> Table:
    rows = [("tflite_squeeze", report.machine.tflite_squeeze), ("python", report.machine.python)]
    rows += [(name, version) for name, version in report.packages.items() if version is not None]
    return Table(title="Versions", columns=("package", "version"), rows=tuple(rows))
