"""A comparison of files as the contents of a page."""

import shlex

from tflite_squeeze.comparison.record import CompareRecord, Figures, FileCompared
from tflite_squeeze.comparison.tables import compare_tables
from tflite_squeeze.page.contents import (
    Contents,
    Facts,
    Front,
    Kind,
    Measure,
    Point,
    Refusal,
    Verdict,
)
from tflite_squeeze.page.vega import shown

_LATENCY = Measure(label="latency", unit="µs")
_DOWNLOAD = Measure(label="download (gzip -9)", unit="bytes")
_ACCURACY = Measure(label="accuracy", unit="share", better="more")
_CALLED = {"given": "first file", "tried": "other files"}


def compare_contents(record: CompareRecord) -> Contents:
    """What the page of a comparison shows.

    Args:
        record: what `compare` returned.

    Example:
        >>> compare_contents(record).title
        'Comparison with float.tflite'
    """
    table, *others = compare_tables(record)
    failed = tuple(f"{one.file}: {line}" for one in record.files for line in one.failed)
    verdict = Verdict(passed=record.passed, lines=failed) if record.config.fail_if else None
    return Contents(
        title=table.title,
        about=f"{len(record.files)} files on {record.machine.cpu}",
        verdict=verdict,
        summary=table,
        front=_front(record),
        refusals=_refusals(record),
        checks=tuple(others),
        machine=record.machine.facts,
        data=(("source", record.data),) if record.data is not None else (),
        commands=(_command(record),),
    )


def _front(record: CompareRecord) -> Front | None:
    """Accuracy by time, or by bytes where no time is known; bytes by time without labels."""
    timed = [(one, _timed(one)) for one in record.files]
    known = [(one, figures) for one, figures in timed if figures is not None]
    judged = [one for one in record.files if one.accuracy is not None]
    if len(known) == len(record.files):
        y = _ACCURACY if judged else _DOWNLOAD
        points = [
            _point(record, one, figures.latency_us or 0.0,
                   one.accuracy.accuracy if one.accuracy else one.download_bytes)
            for one, figures in known
            if one.accuracy is not None or not judged
        ]  # fmt: skip
        note = f"Time on {known[0][1].runtime}."
        return Front(x=_LATENCY, y=y, points=tuple(points), note=note, **_CALLED)
    if not judged:
        return None
    points = [
        _point(record, one, one.download_bytes, one.accuracy.accuracy)
        for one in judged
        if one.accuracy is not None
    ]
    return Front(x=_DOWNLOAD, y=_ACCURACY, points=tuple(points), **_CALLED)


def _timed(file: FileCompared) -> Figures | None:
    """The figures of the first runtime that has a time."""
    return next((one for one in file.figures if one.latency_us is not None), None)


def _point(record: CompareRecord, file: FileCompared, x: float, y: float) -> Point:
    kind: Kind = "given" if file is record.files[0] else "tried"
    return Point(
        name=file.file,
        x=x,
        y=y,
        kind="rejected" if file.failed else kind,
        details=_details(file),
    )


def _details(file: FileCompared) -> Facts:
    facts = [
        ("quantization", file.quantization),
        ("file", shown(file.raw_bytes, "bytes")),
        ("download", shown(file.download_bytes, "bytes")),
    ]
    for one in file.figures:
        facts += [
            (f"arena, {one.runtime}", shown(one.arena_bytes, "bytes")),
            (f"flash, {one.runtime}", shown(one.flash_bytes, "bytes")),
            (f"latency, {one.runtime}", shown(one.latency_us, "µs")),
        ]
        if one.latency_ratio is not None:
            ratio = one.latency_ratio
            text = f"{ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"
            facts.append((f"ratio, {one.runtime}", text))
    if file.accuracy is not None:
        facts.append(("accuracy", shown(file.accuracy.accuracy, "share")))
    facts += [("fails", line) for line in file.failed]
    return tuple((label, text) for label, text in facts if text)


def _refusals(record: CompareRecord) -> tuple[Refusal, ...]:
    """What could not be measured, and why."""
    found = []
    for one in record.files:
        for figures in one.figures:
            if figures.unavailable:
                what = f"{one.file} on {figures.runtime}"
                found.append(Refusal(what=what, reason=figures.unavailable))
        if one.accuracy_unavailable:
            found.append(Refusal(what=f"{one.file}, accuracy", reason=one.accuracy_unavailable))
    return tuple(found)


def _command(record: CompareRecord) -> str:
    config = record.config
    words = ["tflite-squeeze", "compare", *(one.file for one in record.files)]
    for runtime in config.runtimes:
        words += ["--runtime", runtime]
    for condition in config.fail_if:
        words += ["--fail-if", condition]
    words += ["--data", record.data] if record.data is not None else []
    words += ["--samples", str(config.samples)] if config.samples is not None else []
    words += ["--threads", str(config.threads), "--turns", str(config.turns)]
    return shlex.join(words)
