"""Any number of files side by side: bytes, memory, time and accuracy, with limits on them."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.comparison.limits import check_possible, conditions_of, failures_of
from tflite_squeeze.comparison.record import (
    Compare,
    CompareRecord,
    Figures,
    FileAccuracy,
    FileCompared,
)
from tflite_squeeze.comparison.runtimes import RUNTIMES, figures_on
from tflite_squeeze.errors import UsageError
from tflite_squeeze.files.files import read_file
from tflite_squeeze.files.tflite_file import is_tflite, read_tflite
from tflite_squeeze.runtime.kinds import (
    ONNX,
    SUFFIXES,
    foreign_quantization,
    kind_of,
    refuse_damaged,
)
from tflite_squeeze.runtime.machine import this_machine
from tflite_squeeze.tflite.signatures import quantization_name
from tflite_squeeze.tflite.size import download_bytes

if TYPE_CHECKING:
    from tflite_squeeze.comparison.accuracy import Judged

Files = Mapping[str, bytes]


@checked_arguments
def compare(
    files: Files | Sequence[Path | str], data: Any = None, config: Compare | None = None
) -> CompareRecord:
    """Compares files with the first of them.

    Args:
        files: paths of `.tflite`, `.onnx` and `.pte` files, or content by name; at least two.
        data: labelled examples: `Data`, or anything that `load_data` takes; None to leave accuracy
            out.
        config: how to compare; None for the defaults.

    Returns:
        The record; `passed` is true if no condition of `fail_if` holds.

    Raises:
        UsageError: fewer than two files, an unknown runtime, or an invalid condition.
        InputError: a file is damaged or missing, or the data do not fit one that runs.

    Example:
        >>> compare(["a.tflite", "b.tflite"]).files[1].figures[0].latency_ratio.value
        0.42
    """
    config = config or Compare()
    contents = files if isinstance(files, Mapping) else _read(files)
    if len(contents) < 2:
        raise UsageError(f"comparing takes at least two different files; got {len(contents)}")
    for runtime in config.runtimes:
        if runtime not in RUNTIMES:
            raise UsageError(f"runtime {runtime!r} is not known: use {', '.join(RUNTIMES)}")
    conditions = conditions_of(config.fail_if)
    mixed = len({kind_of(content) for content in contents.values()}) > 1
    check_possible(conditions, config.runtimes, labelled=data is not None, called=mixed)
    plain = {name: _sizes(name, content) for name, content in contents.items()}
    judged = None if data is None else _judged(contents, data, config)
    measured = [figures_on(runtime, contents, config) for runtime in config.runtimes]
    found = [
        _compared(plain[name], tuple(figures[name] for figures in measured), judged)
        for name in contents
    ]
    first, *others = found
    held = [
        one.model_copy(update={"failed": failures_of(conditions, one, first)}) for one in others
    ]
    return CompareRecord(
        config=config,
        files=(first, *held),
        data=None if judged is None else judged.source,
        machine=this_machine(),
    )


def _read(paths: Sequence[Path | str]) -> dict[str, bytes]:
    """Content by path; the same path once."""
    found = {}
    for path in paths:
        foreign = Path(path).suffix in SUFFIXES
        found[str(path)] = content = read_file(Path(path), "file") if foreign else read_tflite(path)
        if kind_of(content) == ONNX:
            refuse_damaged(content, str(path))
    return found


def _sizes(name: str, content: bytes) -> FileCompared:
    return FileCompared(
        file=name,
        sha256=hashlib.sha256(content).hexdigest(),
        quantization=quantization_name(content)
        if is_tflite(content)
        else foreign_quantization(content) or "",
        raw_bytes=len(content),
        download_bytes=download_bytes(content),
        figures=(),
    )


def _judged(contents: Files, data: Any, config: Compare) -> "Judged":
    # TensorFlow, which reads data, is loaded for that alone.
    from tflite_squeeze.comparison.accuracy import judged

    return judged(contents, data, config)


def _compared(
    plain: FileCompared, figures: tuple[Figures, ...], judged: "Judged | None"
) -> FileCompared:
    accuracy: FileAccuracy | None = None
    reason = ""
    if judged is not None:
        accuracy, reason = judged.files.get(plain.file), judged.reasons.get(plain.file, "")
    return plain.model_copy(
        update={"figures": figures, "accuracy": accuracy, "accuracy_unavailable": reason}
    )
