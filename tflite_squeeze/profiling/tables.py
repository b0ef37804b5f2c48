"""What `profile` measured, as tables."""

from tflite_squeeze.profiling.record import OperatorTime, OperatorTimes, ProfileRecord
from tflite_squeeze.tables.table import Cell, Table
from tflite_squeeze.tflite.size_tables import size_tables

_UNSEEN = "(not accounted for)"


def profile_tables(record: ProfileRecord) -> list[Table]:
    """Latency, memory, size and operators of a file as tables.

    Args:
        record: what `tflite_squeeze.profiling.profile.profile` returned.

    Returns:
        The tables, operators last.

    Example:
        >>> print_tables(profile_tables(profile("lenet_5.tflite")))
    """
    return [
        _latency(record),
        _memory(record),
        *size_tables(record.size),
        operator_table(record.operators, compact=True),
    ]


def operator_table(times: OperatorTimes, *, compact: bool = False) -> Table:
    """Operators in order of execution, with the share of a run that each takes.

    Args:
        times: what was measured.
        compact: leaves out columns without information: the subgraph where there is only one, and
            calls where each operator runs once.
    """
    columns = ("operator", "runs in", "subgraph", "calls", "mean (µs)", "per run (µs)", "share")
    if times.unavailable is not None:
        note = f"Times of operators are unavailable: {times.unavailable}"
        return Table(title="Operators", columns=columns, rows=(), notes=(note,))
    rows: list[tuple[Cell, ...]] = [
        (
            item.name,
            runs_in(times, item),
            item.subgraph,
            _count(item.calls),
            item.mean_us,
            item.us_per_run,
            item.share,
        )
        for item in times.operators
    ]
    if times.unseen_us:
        share = times.unseen_us / times.invoke_us
        rows.append((_UNSEEN, None, None, None, None, times.unseen_us, share))
    idle = set()
    if compact and all(item.subgraph == 0 for item in times.operators):
        idle |= {"subgraph"}
    if compact and all(item.calls == 1 for item in times.operators):
        idle |= {"calls", "mean (µs)"}
    kept = [index for index, name in enumerate(columns) if name not in idle]
    return Table(
        title="Operators",
        columns=tuple(columns[index] for index in kept),
        rows=tuple(tuple(row[index] for index in kept) for row in rows),
        notes=_notes(times),
        bar="share",
    )


_BY_DIFFERENCE = (
    "Larq's runtime has no profiler: times are differences between runs of the first k and of the "
    "first k + 1 operators; those that are lost in the noise show as 0."
)


def runs_in(times: OperatorTimes, item: OperatorTime) -> str:
    """What runs an operator: a delegate, a runtime, or neither's fast kernels.

    Args:
        times: all of them.
        item: one of them.
    """
    if times.by_difference:
        return "Larq" if item.name.startswith("Lce") else "TensorFlow Lite"
    return "XNNPACK" if item.delegated else "NOT DELEGATED"


def _notes(times: OperatorTimes) -> tuple[str, ...]:
    left = [item for item in times.operators if not item.delegated]
    share = sum(item.share for item in left)
    notes = [
        f"{len(times.operators)} operators add up to {times.sum_us:,.1f} µs of the "
        f"{times.invoke_us:,.1f} µs that a run takes"
        + (f" ({times.coverage:.0%})." if times.coverage is not None else ".")
    ]
    if times.by_difference:
        return (*notes, _BY_DIFFERENCE)
    if times.coverage is not None and times.coverage < 0.9 and times.invoke_us < 100:
        notes.append(
            "XNNPACK's clock counts whole microseconds: kernels below one are shown as 0, and what "
            "they take is not accounted for."
        )
    if any(item.subgraph for item in times.operators):
        notes.append("An operator that runs subgraphs (WHILE, IF) counts without what runs there.")
    if left:
        names = ", ".join(sorted({item.name for item in left}))
        count = f"{len(left)} operator{'s' if len(left) > 1 else ''}"
        notes.append(f"Not delegated: {count} with {share:.1%} of the time ({names}).")
    return tuple(notes)


def _latency(record: ProfileRecord) -> Table:
    latency, config = record.latency, record.config
    rows: tuple[tuple[Cell, ...], ...] = (
        ("median", latency.median_us / 1000),
        ("90th percentile", latency.p90_us / 1000),
        ("99th percentile", latency.p99_us / 1000),
        ("minimum", latency.min_us / 1000),
        ("mean", latency.mean_us / 1000),
        ("standard deviation", latency.std_us / 1000),
        ("first run", latency.first_us / 1000),
        ("initialisation", latency.init_us / 1000),
    )
    made_up = ", ".join(f"{item.name} {item.dtype} {list(item.shape)}" for item in record.inputs)
    threads = "1 thread" if config.threads == 1 else f"{config.threads} threads"
    notes = (
        f"{latency.runs:,} runs after {latency.warmup_runs:,} to warm up, {threads}, "
        f"{_runtime(record)} on {record.machine.cpu}.",
        f"Inputs are made up: {made_up or 'none'}.",
        *record.notes,
    )
    name = record.file or f"sha256 {record.sha256[:12]}"
    signature = f", signature {record.signature}" if record.signature else ""
    title = f"Latency of {name}{signature}"
    return Table(title=title, columns=("", "ms"), rows=rows, notes=notes)


def _memory(record: ProfileRecord) -> Table:
    memory = record.memory
    rows: tuple[tuple[Cell, ...], ...] = (
        ("arena, with XNNPACK", memory.arena_bytes),
        ("arena, built-in kernels only", memory.builtin_arena_bytes),
        ("peak of the process", memory.process_peak_bytes),
        ("of that, for this file", memory.process_growth_bytes),
    )
    notes = []
    if memory.arena_bytes is not None:
        notes.append("XNNPACK's own buffers and packed weights are in the peak, not in the arena.")
    if record.runtime == "larq":
        rows = rows[2:]
        notes.append(f"No arena is shown: {memory.builtin_unavailable}.")
    elif memory.builtin_unavailable is not None:
        notes.append(f"Built-in kernels alone cannot run it: {memory.builtin_unavailable}")
    return Table(title="Memory", columns=("", "bytes"), rows=rows, notes=tuple(notes))


def _runtime(record: ProfileRecord) -> str:
    if record.runtime == "larq":
        return "Larq Compute Engine (copies of inputs and outputs included)"
    return f"LiteRT {record.machine.litert}"


def _count(calls: float) -> Cell:
    return int(calls) if calls == int(calls) else calls
