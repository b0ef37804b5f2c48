from typing import Any

import numpy as np
import pytest

from tflite_squeeze.comparison.limits import (
    NAMES,
    check_possible,
    conditions_of,
    failures_of,
    file_accuracy,
    values_of,
)
from tflite_squeeze.comparison.record import Figures, FileCompared, Ratio
from tflite_squeeze.errors import UsageError


def _file(name: str, raw_bytes: int, *figures: Figures, **fields: Any) -> FileCompared:
    return FileCompared(
        file=name,
        sha256="",
        quantization="int8",
        raw_bytes=raw_bytes,
        download_bytes=raw_bytes // 2,
        figures=figures,
        **fields,
    )


def _timed(latency_us: float, first_us: float, arena_bytes: int | None = 100) -> Figures:
    value = latency_us / first_us
    ratio = Ratio(value=value, low=value - 0.1, high=value + 0.1)
    return Figures(
        runtime="litert", arena_bytes=arena_bytes, latency_us=latency_us, latency_ratio=ratio
    )


FIRST = _file("first", 1000, _timed(10, 10))
OTHER = _file(
    "other",
    500,
    _timed(12, 10, arena_bytes=50),
    accuracy=file_accuracy("y", np.array([0, 1]), np.array([0, 0]), np.array([0, 1])),
)


def test_every_figure_by_hand() -> None:
    values = values_of(OTHER, OTHER.figures[0], FIRST, FIRST.figures[0])
    assert set(values) == set(NAMES) - {"flash_bytes", "call_us", "call_ratio"}
    assert values["raw_ratio"] == values["download_ratio"] == values["arena_ratio"] == 0.5
    assert values["latency_ratio"] == 1.2
    assert values["latency_ratio_low"] == pytest.approx(1.1)
    assert values["accuracy_drop"] == values["accuracy"] == 0.5
    assert values["worst_class_drop"] == 1.0


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("accuracy_drop > 0.005 or latency_ratio > 1.0", True),
        ("accuracy_drop > 0.6", False),
        ("latency_ratio_low > 1.0 and raw_ratio < 1", True),
        ("arena_ratio >= 1", False),
    ],
)
def test_conditions_on_a_file(text: str, fails: bool) -> None:
    failed = failures_of(conditions_of([text]), OTHER, FIRST)
    assert bool(failed) is fails
    if fails:
        assert failed[0].startswith(f"{text} on litert (")


def test_the_numbers_that_make_it_fail_are_told() -> None:
    (line,) = failures_of(conditions_of(["latency_ratio > 1"]), OTHER, FIRST)
    assert line == "latency_ratio > 1 on litert (latency_ratio is 1.2)"


def test_a_file_that_does_not_run_cannot_pass() -> None:
    broken = _file("broken", 10, Figures(runtime="litert", unavailable="it crashed"))
    conditions = conditions_of(["latency_ratio > 1"])
    (line,) = failures_of(conditions, broken, FIRST)
    assert line.endswith("cannot be evaluated: broken does not run on litert: it crashed")
    (line,) = failures_of(conditions, OTHER.model_copy(update={"figures": broken.figures}), broken)
    assert "does not run" in line
    # what does not depend on running is told nevertheless
    assert failures_of(conditions_of(["raw_ratio > 1"]), broken, FIRST) == ()


def test_each_runtime_that_gives_the_figures_is_tried() -> None:
    npu = Figures(runtime="ethos-u55-128", arena_bytes=10, flash_bytes=99, latency_us=1)
    first, other = (
        one.model_copy(update={"figures": (*one.figures, npu)}) for one in (FIRST, OTHER)
    )
    conditions = conditions_of(["flash_bytes > 50", "arena_bytes < 60"])
    assert [line.split(" (")[0] for line in failures_of(conditions, other, first)] == [
        "flash_bytes > 50 on ethos-u55-128",
        "arena_bytes < 60 on litert",
        "arena_bytes < 60 on ethos-u55-128",
    ]


@pytest.mark.parametrize(
    ("text", "runtimes", "labelled", "said"),
    [
        ("accuracy_drop > 1", ("litert",), False, "accuracy_drop is not measured here: pass --dat"),
        ("latency_ratio > 1", ("micro",), True, "latency_ratio is not measured here: pass litert"),
        ("flash_bytes > 1", ("litert",), True, "flash_bytes is not measured here: pass micro"),
    ],
)
def test_what_will_not_be_measured_is_refused_before(
    text: str, runtimes: tuple[str, ...], labelled: bool, said: str
) -> None:
    conditions = conditions_of([text])
    with pytest.raises(UsageError, match=said):
        check_possible(conditions, runtimes, labelled=labelled)
    check_possible(conditions, ("litert", "ethos-u55-128"), labelled=True)
