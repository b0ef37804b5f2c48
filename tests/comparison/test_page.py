"""A comparison as the contents of a page."""

import numpy as np

from tflite_squeeze.comparison.limits import file_accuracy
from tflite_squeeze.comparison.page import compare_contents
from tflite_squeeze.comparison.record import (
    Compare,
    CompareRecord,
    Figures,
    FileAccuracy,
    FileCompared,
    Ratio,
)
from tflite_squeeze.page.render import report_page
from tflite_squeeze.runtime.machine import this_machine

LABELS = np.array([0] * 40 + [1] * 40)
WORSE = np.where(np.arange(80) < 8, 1, LABELS)


def _file(
    name: str, us: float | None, accuracy: FileAccuracy | None = None, *, failed: str = ""
) -> FileCompared:
    ratio = None if us is None else Ratio(value=us / 10, low=us / 11, high=us / 9)
    timed = Figures(runtime="litert", arena_bytes=64, latency_us=us, latency_ratio=ratio,
                    unavailable="" if us else "it crashed")  # fmt: skip
    return FileCompared(
        file=name, sha256="", quantization="int8", raw_bytes=1000, download_bytes=int(us or 7) * 50,
        figures=(timed,), accuracy=accuracy, failed=(failed,) if failed else (),
    )  # fmt: skip


def _record(*files: FileCompared, **changes: object) -> CompareRecord:
    sound = {"config": Compare(), "files": files, "data": "my set", "machine": this_machine()}
    return CompareRecord.model_validate({**sound, **changes})


def test_accuracy_by_time() -> None:
    first = file_accuracy("y", LABELS, LABELS, LABELS)
    worse = file_accuracy("y", LABELS, WORSE, LABELS, ("no", "yes"))
    config = Compare(fail_if=("accuracy_drop > 0.05",))
    contents = compare_contents(
        _record(_file("a.tflite", 10, first), _file("b.tflite", 5, worse, failed="it lost"),
                config=config)
    )  # fmt: skip
    assert contents.front is not None
    assert contents.front.x.label == "latency"
    assert [(one.name, one.kind, one.x, one.y) for one in contents.front.points] == [
        ("a.tflite", "given", 10, 1.0), ("b.tflite", "rejected", 5, 0.9)
    ]  # fmt: skip
    assert ("ratio, litert", "0.500 [0.455, 0.556]") in contents.front.points[1].details
    assert contents.verdict is not None
    assert contents.verdict.lines == ("b.tflite: it lost",)
    assert contents.commands == (
        "tflite-squeeze compare a.tflite b.tflite --runtime litert --fail-if "
        "'accuracy_drop > 0.05' --data 'my set' --threads 1 --turns 20",
    )
    assert [table.title for table in contents.checks] == ["Classes that lose"]
    assert "first file" in report_page(contents).decode()


def test_bytes_by_time_without_labels() -> None:
    contents = compare_contents(_record(_file("a", 10), _file("b", 5), data=None))
    assert contents.front is not None
    assert [(one.x, one.y) for one in contents.front.points] == [(10, 500), (5, 250)]
    assert contents.verdict is None
    assert contents.data == ()


def test_accuracy_by_bytes_where_a_file_was_not_timed() -> None:
    accuracy = file_accuracy("y", LABELS, LABELS, LABELS)
    contents = compare_contents(_record(_file("a", 10, accuracy), _file("b", None, accuracy)))
    assert contents.front is not None
    assert [(one.x, one.y) for one in contents.front.points] == [(500, 1.0), (350, 1.0)]
    assert [(one.what, one.reason) for one in contents.refusals] == [("b on litert", "it crashed")]
    assert compare_contents(_record(_file("a", 10), _file("b", None))).front is None
