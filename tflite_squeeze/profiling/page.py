"""A profile as the contents of a page."""

import shlex
from collections.abc import Sequence

from tflite_squeeze.page.contents import Contents, Operator, Operators, Verdict
from tflite_squeeze.profiling.record import OperatorTimes, ProfileRecord
from tflite_squeeze.profiling.tables import operator_table, profile_tables, runs_in
from tflite_squeeze.tables.table import Table


def profile_contents(record: ProfileRecord) -> Contents:
    """What the page of a profile shows.

    Args:
        record: what `tflite_squeeze.profiling.profile.profile` returned.

    Example:
        >>> profile_contents(profile("lenet_5.tflite")).title
        'Profile of lenet_5.tflite'
    """
    latency, *others, _ = profile_tables(record)
    name = record.file or f"sha256 {record.sha256[:12]}"
    config = record.config
    words = ["tflite-squeeze", "profile", name, "--runtime", record.runtime,
             "--threads", str(config.threads), "--runs", str(config.runs),
             "--min-seconds", f"{config.min_seconds:g}"]  # fmt: skip
    words += ["--signature", config.signature] if config.signature else []
    return Contents(
        title=f"Profile of {name}",
        about=f"{record.latency.median_us / 1000:.4g} ms a run on {record.machine.cpu}",
        summary=latency,
        operators=shown_operators(record.operators),
        tables=tuple(others),
        machine=record.machine.facts,
        data=tuple((one.name, f"{one.dtype} {list(one.shape)}, made up") for one in record.inputs),
        commands=(shlex.join(words),) if record.file else (),
    )


def shown_operators(times: OperatorTimes) -> Operators:
    """Times of operators as a page shows them.

    Args:
        times: what was measured.
    """
    operators = tuple(
        Operator(name=one.name, kernel=runs_in(times, one), us=one.us_per_run, share=one.share)
        for one in times.operators
    )
    return Operators(operators=operators, table=operator_table(times, compact=True))


def target_contents(
    file: str, runtime: str, tables: Sequence[Table], over_budget: Sequence[str]
) -> Contents:
    """What the page of a profile for a microcontroller or an NPU shows.

    Args:
        file: the file's name.
        runtime: the target, as `--runtime` names it.
        tables: the record as tables.
        over_budget: the budgets that are exceeded, one line each.
    """
    return Contents(
        title=f"Profile of {file} for {runtime}",
        verdict=Verdict(passed=False, lines=tuple(over_budget)) if over_budget else None,
        tables=tuple(tables),
        commands=(shlex.join(["tflite-squeeze", "profile", file, "--runtime", runtime]),),
    )
