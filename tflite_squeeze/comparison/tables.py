"""Files side by side, as tables."""

from importlib.metadata import PackageNotFoundError, version

from tflite_squeeze.comparison.limits import NAMES, values_of
from tflite_squeeze.comparison.record import (
    LARQ,
    MICRO,
    CompareRecord,
    FileCompared,
    Ratio,
)
from tflite_squeeze.runtime.kinds import LITERT
from tflite_squeeze.tables.table import Cell, Table, points

_WORST_CLASSES = 5
_LEAST_SHOWN = 0.0001
_ARENAS = {LITERT: "of the built-in kernels", MICRO: "TFLM's smallest", LARQ: ""}


def compare_tables(record: CompareRecord) -> tuple[Table, ...]:
    """The tables of a comparison: one row per file and runtime, then where classes lose.

    Args:
        record: what `compare` returned.

    Returns:
        One table, and a second one where any class loses.

    Example:
        >>> compare_tables(record)[0].title
        'Comparison with a.tflite'
    """
    tables = [comparison_table(record)]
    if rows := _losing_classes(record):
        tables.append(
            Table(
                title="Classes that lose",
                columns=("file", "class", "examples", "first", "file's", "Δ (points)", "p"),
                rows=tuple(rows),
                notes=(
                    f"of each file the {_WORST_CLASSES} worst at most; p: how likely chance alone "
                    f"is to do as much (McNemar, exact)",
                ),
            )
        )
    return tuple(tables)


def comparison_table(record: CompareRecord) -> Table:
    """The table with a row per file and runtime.

    Args:
        record: what `compare` returned.
    """
    called = _is_called(record)
    rows = [
        row
        for file in record.files
        for row in _rows(file, is_first=file is record.files[0], called=called)
    ]
    columns = ["file", "quantization", "runtime", "raw bytes", "download", "arena", "flash"]
    columns += ["latency (µs)", "ratio", "95 % interval"]
    columns += ["call (µs)", "ratio"] if called else []
    if record.data is not None:
        columns += ["accuracy", "Δ (points)", "95 % interval (points)", "p"]
    return Table(
        title=f"Comparison with {record.files[0].file}",
        columns=tuple(columns),
        rows=tuple(tuple(row[: len(columns)]) for row in rows),
        notes=tuple(_notes(record)),
    )


def figures_table(record: CompareRecord) -> Table:
    """Every figure that a condition can name, unrounded, with a row per file and runtime.

    Args:
        record: what `compare` returned.
    """
    first = record.files[0]
    rows = []
    for file in record.files:
        for figures, first_figures in zip(file.figures, first.figures, strict=True):
            values = values_of(file, figures, first, first_figures)
            numbers = (values.get(name) for name in NAMES)
            rows.append((file.file, file.quantization, figures.runtime, *numbers))
    return Table(
        title="Figures", columns=("file", "quantization", "runtime", *NAMES), rows=tuple(rows)
    )


def _is_called(record: CompareRecord) -> bool:
    """Whether whole calls were timed, as is fair between runtimes."""
    return any(figures.call_us is not None for file in record.files for figures in file.figures)


def _rows(file: FileCompared, *, is_first: bool, called: bool) -> list[tuple[Cell, ...]]:
    return [
        (
            file.file,
            file.quantization,
            figures.runtime,
            file.raw_bytes,
            file.download_bytes,
            figures.arena_bytes,
            figures.flash_bytes,
            figures.latency_us,
            *((None, None) if is_first else _ratio(figures.latency_ratio)),
            *(
                (figures.call_us, *_ratio(None if is_first else figures.call_ratio)[:1])
                if called
                else ()
            ),
            *_accuracy(file, is_first=is_first),
        )
        for figures in file.figures
    ]


def _ratio(ratio: Ratio | None) -> tuple[Cell, Cell]:
    """The ratio and its interval, which estimates have none of."""
    if ratio is None:
        return None, None
    interval = None if ratio.low == ratio.high else f"[{ratio.low:.3f}, {ratio.high:.3f}]"
    return round(ratio.value, 4), interval


def _accuracy(file: FileCompared, *, is_first: bool) -> tuple[Cell, ...]:
    judged = file.accuracy
    if judged is None:
        return (None, None, None, None)
    if is_first:
        return (f"{judged.accuracy:.2%}", None, None, None)
    return (
        f"{judged.accuracy:.2%}",
        points(-judged.drop),
        f"[{points(-judged.high)}, {points(-judged.low)}]",
        _probability(judged.p_value),
    )


def _probability(value: float) -> str:
    return f"{value:.4f}" if value >= _LEAST_SHOWN else f"< {_LEAST_SHOWN}"


def _losing_classes(record: CompareRecord) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for file in record.files[1:]:
        classes = [] if file.accuracy is None else file.accuracy.classes
        losing = sorted((one for one in classes if one.drop > 0), key=lambda one: -one.drop)
        rows += [
            (
                file.file,
                one.name,
                one.examples,
                f"{one.first:.2%}",
                f"{one.file:.2%}",
                points(-one.drop),
                _probability(one.p_value),
            )
            for one in losing[:_WORST_CLASSES]
        ]
    return rows


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _notes(record: CompareRecord) -> list[str]:
    machine, config = record.machine, record.config
    notes = ["ratios, Δ and p are to the first file"]
    if {LITERT, LARQ} & set(config.runtimes):
        notes.append(
            f"latency: the median of {config.turns} turns in one process, LiteRT "
            f"{machine.litert} on {machine.cpu}; a ratio is the median of the turns' ratios, which "
            f"need not be that of the medians shown"
        )
    if _is_called(record):
        notes.append(
            f"latency is the run alone, its inputs and outputs in memory that is bound before: "
            f"LiteRT's Invoke, a bound run of ONNX Runtime {_version('onnxruntime')}, "
            f"ExecuTorch's plan_execute; a call copies both, from NumPy arrays to NumPy arrays"
        )
    arenas = {one: _ARENAS.get(one, "SRAM and DRAM, estimated by Vela") for one in config.runtimes}
    told = (f"{what} ({runtime})" for runtime, what in arenas.items() if what)
    notes += [f"arena: {'; '.join(told)}"] if any(arenas.values()) else []
    by = "each by its runtime" if _is_called(record) else "by LiteRT"
    examples = next((one.accuracy.examples for one in record.files if one.accuracy), None)
    if record.data is not None and examples is not None:
        notes.append(f"accuracy: on {examples:,} labelled examples of {record.data}, {by}")
    for file in record.files:
        for figures in file.figures:
            if figures.unavailable:
                notes.append(f"{file.file} on {figures.runtime}: {figures.unavailable}")
        if file.accuracy_unavailable:
            notes.append(f"{file.file}, accuracy: {file.accuracy_unavailable}")
        notes += [f"{file.file} fails: {line}" for line in file.failed]
    return notes
