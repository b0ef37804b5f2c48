"""The page: a summary that counts wins, ties and losses, all losses, a table and plot by peer."""

from collections.abc import Iterator, Sequence

from .cases import CASES, PEERS
from .results import MEASURES, Outcome, Row, Verdict, counted, ratio_of, verdict_of

_HEAD = (
    "| comparison | measure | here | peer | here / peer | better |\n|---|---|---:|---:|---:|---|"
)


def page_of(outcomes: Sequence[Outcome]) -> str:
    """Everything that was measured, as Markdown.

    Args:
        outcomes: of the cases that are finished, in any order.
    """
    by_peer = {
        key: [outcome for outcome in outcomes if CASES[outcome.case].peer == key] for key in PEERS
    }
    shown = {key: found for key, found in by_peer.items() if found}
    parts = [_machine(outcomes), _summary(shown), _losses(outcomes)]
    parts += [_section(key, found) for key, found in shown.items()]
    lacking = [case for case in CASES if case not in {outcome.case for outcome in outcomes}]
    if lacking:
        parts.append("Not measured yet: " + ", ".join(lacking) + ".")
    return "\n\n".join(parts)


def rows_of(outcomes: Sequence[Outcome]) -> list[Row]:
    """All comparisons."""
    return [row for outcome in outcomes for row in outcome.rows]


def _machine(outcomes: Sequence[Outcome]) -> str:
    machines = dict.fromkeys(
        f"{outcome.machine['cpu']}, {outcome.machine['cores']} processors" for outcome in outcomes
    )
    versions = dict.fromkeys(
        ", ".join(f"{name} {number}" for name, number in outcome.versions.items())
        for outcome in outcomes
    )
    days = sorted(outcome.started[:10] for outcome in outcomes)
    span = " to ".join(dict.fromkeys((days[0], days[-1])))
    return (
        f"Measured on {'; '.join(machines)}, one thread, {span}, with {'; '.join(versions)}. The "
        f"machine was shared: times of two files were taken in turns in one process, others are "
        f"processor time."
    )


def _summary(shown: dict[str, list[Outcome]]) -> str:
    lines = [
        "| peer | better here | ties | better there | only here | only there |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    order = (Verdict.WIN, Verdict.TIE, Verdict.LOSS, Verdict.ONLY_HERE, Verdict.ONLY_PEER)
    for key, outcomes in shown.items():
        counts = counted(rows_of(outcomes))
        cells = " | ".join(str(counts[verdict]) for verdict in order)
        lines.append(f"| {PEERS[key].title} | {cells} |")
    return "\n".join(lines)


def _losses(outcomes: Sequence[Outcome]) -> str:
    """What the peers do better, in one place."""
    lost = [
        (PEERS[CASES[outcome.case].peer].title, row)
        for outcome in outcomes
        for row in outcome.rows
        if verdict_of(row) in (Verdict.LOSS, Verdict.ONLY_PEER)
    ]
    if not lost:
        return "## What peers do better\n\nNothing that was measured here."
    lines = [
        "## What peers do better",
        "",
        "| peer | comparison | measure | here | peer | here / peer |",
        "|---|---|---|---:|---:|---:|",
        *(f"| {title} | {' | '.join(_cells(row)[:-1])} |" for title, row in lost),
    ]
    return "\n".join(lines)


def _section(key: str, outcomes: Sequence[Outcome]) -> str:
    rows = rows_of(outcomes)
    lines = [f"## {PEERS[key].title}", "", PEERS[key].how, ""]
    if any(ratio_of(row) is not None for row in rows):
        lines += [f"![Ratios beside {PEERS[key].title}](peers/{key}.svg)", ""]
    lines += [_HEAD, *(f"| {' | '.join(_cells(row))} |" for row in rows), ""]
    lines += list(_remarks(outcomes))
    commands = dict.fromkeys(f"`{outcome.command}`" for outcome in outcomes)
    return "\n".join([*lines, f"By {', '.join(commands)}."])


def _remarks(outcomes: Sequence[Outcome]) -> Iterator[str]:
    notes = [note for outcome in outcomes for note in outcome.notes]
    notes += [f"{row.what}: {row.note}" for row in rows_of(outcomes) if row.note]
    for note in dict.fromkeys(notes):
        yield f"- {note}"
    if notes:
        yield ""


def _cells(row: Row) -> tuple[str, ...]:
    measure = MEASURES[row.measure]
    return (
        row.what,
        measure.label,
        _value(row.here, measure.text),
        _value(row.peer, measure.text),
        _ratio(row),
        verdict_of(row).value,
    )


def _value(value: float | None, text: str) -> str:
    return "" if value is None else format(value, text)


def _ratio(row: Row) -> str:
    """Here / peer, or the difference in points; with its 95 % interval where there is one."""
    found = ratio_of(row)
    if found is None:
        return ""
    difference = MEASURES[row.measure].difference
    form = (lambda value: f"{100 * value:+.2f}") if difference else (lambda value: f"{value:.2f}")
    shown = form(found) + (" points" if difference else "")
    if row.low is None or row.high is None:
        return shown
    return f"{shown} [{form(row.low)}, {form(row.high)}]"
