"""The figures of a comparison by name, and the conditions on them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.comparison.conditions import Condition, condition_of
from tflite_squeeze.comparison.record import (
    LARQ,
    MICRO,
    ClassAccuracy,
    Figures,
    FileAccuracy,
    FileCompared,
)
from tflite_squeeze.errors import UsageError
from tflite_squeeze.runtime.fidelity import paired_difference
from tflite_squeeze.runtime.intervals import mcnemar
from tflite_squeeze.runtime.kinds import LITERT

_TIMED = "litert, larq or an Ethos-U NPU as --runtime"
_FLASHED = "micro or an Ethos-U NPU as --runtime"
_LABELLED = "--data with labels"
_CALLED = "files of several runtimes"

# What a condition may name, and what that needs; ratios and drops are to the first file.
NAMES = {
    "raw_bytes": "", "raw_ratio": "", "download_bytes": "", "download_ratio": "",
    "arena_bytes": "", "arena_ratio": "", "flash_bytes": _FLASHED,
    "latency_us": _TIMED, "latency_ratio": _TIMED,
    "latency_ratio_low": _TIMED, "latency_ratio_high": _TIMED,
    "call_us": _CALLED, "call_ratio": _CALLED,
    "accuracy": _LABELLED, "accuracy_drop": _LABELLED,
    "accuracy_drop_low": _LABELLED, "accuracy_drop_high": _LABELLED,
    "p_value": _LABELLED, "agreement": _LABELLED, "worst_class_drop": _LABELLED,
}  # fmt: skip


def conditions_of(texts: Sequence[str]) -> list[Condition]:
    """Reads conditions on the figures of a comparison.

    Raises:
        UsageError: one is not a valid condition, or names an unknown figure.
    """
    return [condition_of(text, NAMES) for text in texts]


def check_possible(
    conditions: Sequence[Condition],
    runtimes: Sequence[str],
    *,
    labelled: bool,
    called: bool = False,
) -> None:
    """Refuses conditions on figures that will not be measured, before anything is.

    Args:
        conditions: the conditions given.
        runtimes: those that will run the files.
        labelled: whether there are labelled examples.
        called: whether the files are of several runtimes.

    Raises:
        UsageError: with the name and what it needs.
    """
    given = {
        "": True,
        _LABELLED: labelled,
        _CALLED: called and LITERT in runtimes,
        _TIMED: any(one != MICRO for one in runtimes),
        _FLASHED: any(one not in (LITERT, LARQ) for one in runtimes),
    }
    for condition in conditions:
        for name in condition.names:
            if not given[NAMES[name]]:
                raise UsageError(
                    f"--fail-if {condition.text!r}: {name} is not measured here: pass {NAMES[name]}"
                )


def values_of(
    file: FileCompared, figures: Figures, first: FileCompared, first_figures: Figures
) -> dict[str, float]:
    """The figures of a file on one runtime by name, as far as they were measured."""
    found: dict[str, float | None] = {
        "raw_bytes": file.raw_bytes,
        "raw_ratio": file.raw_bytes / first.raw_bytes,
        "download_bytes": file.download_bytes,
        "download_ratio": file.download_bytes / first.download_bytes,
        "arena_bytes": figures.arena_bytes,
        "flash_bytes": figures.flash_bytes,
        "latency_us": figures.latency_us,
        "call_us": figures.call_us,
        "call_ratio": None if figures.call_ratio is None else figures.call_ratio.value,
    }
    if figures.arena_bytes is not None and first_figures.arena_bytes:
        found["arena_ratio"] = figures.arena_bytes / first_figures.arena_bytes
    if (ratio := figures.latency_ratio) is not None:
        found["latency_ratio"] = ratio.value
        found["latency_ratio_low"], found["latency_ratio_high"] = ratio.low, ratio.high
    if (judged := file.accuracy) is not None:
        found |= {
            "accuracy": judged.accuracy,
            "accuracy_drop": judged.drop,
            "accuracy_drop_low": judged.low,
            "accuracy_drop_high": judged.high,
            "p_value": judged.p_value,
            "agreement": judged.agreement,
            "worst_class_drop": judged.worst_class.drop,
        }
    return {name: float(value) for name, value in found.items() if value is not None}


def failures_of(
    conditions: Sequence[Condition], file: FileCompared, first: FileCompared
) -> tuple[str, ...]:
    """The conditions that hold for a file, and those that cannot be evaluated, one line each.

    A condition is tried on each runtime that gives all the figures that it names.

    Args:
        conditions: the conditions that must not hold.
        file: the file.
        first: what it is compared with.
    """
    failed = []
    pairs = list(zip(file.figures, first.figures, strict=True))
    for condition in conditions:
        tried = False
        for figures, first_figures in pairs:
            values = values_of(file, figures, first, first_figures)
            if not all(name in values for name in condition.names):
                continue
            tried = True
            if condition.holds(values):
                numbers = ", ".join(f"{name} is {values[name]:.6g}" for name in condition.names)
                failed.append(f"{condition.text} on {figures.runtime} ({numbers})")
        if not tried:
            failed.append(f"{condition.text} cannot be evaluated: {_why(file, first)}")
    return tuple(failed)


def _why(file: FileCompared, first: FileCompared) -> str:
    """Why the figures that a condition names are missing."""
    for one in (file, first):
        for figures in one.figures:
            if figures.unavailable:
                return f"{one.file} does not run on {figures.runtime}: {figures.unavailable}"
        if one.accuracy_unavailable:
            return f"{one.file}: {one.accuracy_unavailable}"
    return "no runtime gives all of these figures together"


Classes = NDArray[np.int64]


def file_accuracy(
    output: str,
    first: Classes,
    file: Classes,
    labels: NDArray[Any],
    names: Sequence[str] = (),
) -> FileAccuracy:
    """Judges a file beside the first one.

    Args:
        output: the output that was judged.
        first: (examples,) the classes that the first file predicts.
        file: (examples,) those that this one predicts.
        labels: (examples,) the true ones.
        names: a name per class, or empty.

    Returns:
        Both accuracies with a paired interval and test, over all and class by class.

    Example:
        >>> file_accuracy("y", np.array([0, 1]), np.array([0, 0]), np.array([0, 1])).drop
        0.5
    """
    before, after = first == labels, file == labels
    interval = paired_difference(before, after)
    return FileAccuracy(
        output=output,
        examples=len(labels),
        accuracy=float(np.mean(after)),
        drop=0.0 - interval.difference,
        low=-interval.high,
        high=-interval.low,
        p_value=mcnemar(before, after),
        agreement=float(np.mean(first == file)),
        classes=tuple(
            _class_accuracy(int(label), before[labels == label], after[labels == label], names)
            for label in np.unique(labels)
        ),
    )


def _class_accuracy(
    label: int, before: NDArray[np.bool_], after: NDArray[np.bool_], names: Sequence[str]
) -> ClassAccuracy:
    return ClassAccuracy(
        name=names[label] if label < len(names) else str(label),
        examples=len(before),
        first=float(np.mean(before)),
        file=float(np.mean(after)),
        p_value=mcnemar(before, after),
    )
