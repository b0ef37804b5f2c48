"""Charts as specifications: what is drawn of which numbers."""

import math
from typing import Any

from tflite_squeeze.page.charts import (
    MOST_OPERATORS,
    MOST_TENSORS,
    front_chart,
    nondominated,
    operators_chart,
    quality_chart,
    short_bytes,
    shown,
    sizes_chart,
    tensors_chart,
)
from tflite_squeeze.page.contents import Front, Measure, Operator, Point, Step, Steps, Tensor

BYTES = Measure(label="download", unit="bytes")
ACCURACY = Measure(label="accuracy", unit="share", better="more")


def _values(spec: dict[str, Any] | None) -> list[dict[str, Any]]:
    assert spec is not None
    values: list[dict[str, Any]] = spec["data"]["values"]
    return values


def test_the_front_is_what_no_other_point_beats() -> None:
    points = [
        Point(name="large and good", x=100, y=0.9),
        Point(name="beaten by the first", x=110, y=0.8),
        Point(name="small", x=10, y=0.5),
        Point(name="as small, and worse", x=10, y=0.4),
        Point(name="between", x=50, y=0.7),
        Point(name="rejected", x=1, y=1.0, kind="rejected"),
    ]
    assert nondominated(points, BYTES, ACCURACY) == [2, 4, 0]
    # Where more of both is better, "rejected" still does not count.
    assert nondominated(points, Measure(label="x", better="more"), ACCURACY) == [0, 1]
    assert nondominated([], BYTES, ACCURACY) == []


def test_equal_points_are_both_on_the_front() -> None:
    twins = [Point(name="a", x=1, y=1), Point(name="b", x=1, y=1)]
    assert nondominated(twins, BYTES, ACCURACY) == [0, 1]


def test_a_point_carries_its_recipe_and_its_numbers() -> None:
    points = (
        Point(name="int8", x=2000, y=0.9, kind="given"),
        Point(name="pruned", x=1000, y=0.85, kind="result", recipe="prune: {sparsity: 0.5}"),
    )
    spec = front_chart(Front(x=BYTES, y=ACCURACY, points=points))
    assert _values(spec)[1] == {
        "at": 1, "x": 1000, "y": 0.85, "kind": "result", "on": True, "label": "pruned",
        "align": "left",
        "tooltip": {"file": "pruned", "download": "1,000 bytes", "accuracy": "85.00%",
                    "recipe": "prune: {sparsity: 0.5}"},
    }  # fmt: skip
    assert spec is not None
    colour = spec["layer"][1]["encoding"]["color"]["scale"]
    assert colour == {
        "domain": ["unchanged model", "result"], "range": ["var(--given)", "var(--result)"]
    }  # fmt: skip
    assert "type" not in spec["layer"][0]["encoding"]["x"]["scale"]


def test_names_that_would_cover_each_other_are_left_out() -> None:
    points = (
        Point(name="float32", x=300, y=0.92, kind="given"),
        Point(name="before", x=62, y=0.9001),
        Point(name="best", x=60, y=0.9, kind="result"),
    )
    values = _values(front_chart(Front(x=BYTES, y=ACCURACY, points=points)))
    assert [one["label"] for one in values] == ["float32", "", "best"]
    many = (*points[:1], *(Point(name=str(at), x=at, y=at / 10) for at in range(1, 8)))
    values = _values(front_chart(Front(x=BYTES, y=ACCURACY, points=many)))
    assert [one["label"] for one in values] == ["float32", *[""] * 7]


def test_an_axis_has_the_unit_that_its_numbers_lack() -> None:
    points = (Point(name="a", x=10, y=0.9),)
    latency = Measure(label="latency", unit="µs")
    spec = front_chart(Front(x=latency, y=ACCURACY, points=points))
    assert spec is not None
    place = spec["layer"][0]["encoding"]
    assert place["x"]["axis"]["title"] == "latency (µs)"
    assert place["y"]["axis"]["title"] == "accuracy"


def test_a_point_without_finite_numbers_is_not_drawn() -> None:
    broken = Point(name="broken", x=1, y=math.nan)
    sound = Point(name="sound", x=2, y=0.5)
    spec = front_chart(Front(x=BYTES, y=ACCURACY, points=(broken, sound)))
    assert [(one["at"], one["on"]) for one in _values(spec)] == [(1, True)]
    assert front_chart(Front(x=BYTES, y=ACCURACY, points=(broken,))) is None
    steps = (Step(name="a", quality=math.inf), Step(name="b", quality=0.5))
    assert len(_values(quality_chart(Steps(quality=ACCURACY, steps=steps)))) == 1


def test_numbers_that_are_far_apart_stand_on_a_logarithmic_axis() -> None:
    points = (Point(name="a", x=100, y=0.9), Point(name="b", x=2000, y=0.9))
    spec = front_chart(Front(x=BYTES, y=ACCURACY, points=points))
    assert spec is not None
    assert spec["layer"][0]["encoding"]["x"]["scale"]["type"] == "log"


def test_steps_that_were_not_kept_are_marked_and_those_not_measured_left_out() -> None:
    steps = Steps(
        quality=ACCURACY,
        steps=(
            Step(name="float32", quality=0.9, raw_bytes=100, download_bytes=90),
            Step(name="1 prune", quality=0.5, kept=False),
            Step(name="2 cluster"),
        ),
    )
    quality = _values(quality_chart(steps))
    assert [(one["row"], one["x"], one["kept"]) for one in quality] == [
        (0, 0.9, "kept"), (1, 0.5, "not kept")
    ]  # fmt: skip
    assert [(one["row"], one["of"], one["x"]) for one in _values(sizes_chart(steps))] == [
        (0, "file", 100), (0, "download (gzip -9)", 90)
    ]  # fmt: skip
    bare = Steps(quality=ACCURACY, steps=(Step(name="a"),))
    assert quality_chart(bare) is None
    assert sizes_chart(bare) is None


def test_the_smallest_of_many_tensors_are_added_up() -> None:
    tensors = [Tensor(name=f"net/w{at}", before=at, after=1) for at in range(1, 26)]
    spec = tensors_chart(tensors)
    last = [one for one in _values(spec) if one["row"] == MOST_TENSORS]
    assert [(one["of"], one["x"]) for one in last] == [
        ("before", 1 + 2 + 3 + 4 + 5), ("after", 5)
    ]  # fmt: skip
    assert spec is not None
    (names,) = spec["params"]
    assert names["value"][0] == "w25"
    assert names["value"][-1] == "5 others"
    assert tensors_chart([]) is None


def test_a_folder_that_all_names_begin_with_is_left_out() -> None:
    spec = tensors_chart([Tensor(name="net/a/w", before=2), Tensor(name="net/b/w", before=1)])
    assert spec is not None
    assert spec["params"][0]["value"] == ["a/w", "b/w"]
    long = tensors_chart([Tensor(name="x" * 60 + "end", before=2), Tensor(name="y", before=1)])
    assert long is not None
    assert long["params"][0]["value"][0] == "…" + "x" * 36 + "end"


def test_operators_stand_by_time_and_keep_their_place_in_the_run() -> None:
    operators = [
        Operator(name="Add", kernel="XNNPACK", us=1.0, share=0.1),
        Operator(name="Conv", kernel="built-in", us=9.0, share=0.9),
    ]
    spec = operators_chart(operators)
    assert [(one["x"], one["of"]) for one in _values(spec)] == [
        (9.0, "built-in"), (1.0, "XNNPACK")
    ]  # fmt: skip
    assert spec is not None
    assert spec["params"][0]["value"] == ["Conv #2", "Add #1"]
    many = operators_chart([*operators * 20])
    assert len(_values(many)) == MOST_OPERATORS + 1
    assert _values(many)[-1]["tooltip"]["operator"] == "10 others"
    assert operators_chart([]) is None


def test_numbers_as_people_read_them() -> None:
    assert shown(0.9104, "share") == "91.04%"
    assert shown(1234567, "bytes") == "1,234,567 bytes"
    assert shown(43.44, "µs") == "43.4 µs"
    assert shown(0.123456, "") == "0.1235"
    assert shown(None, "share") == ""
    assert shown(math.nan, "share") == "not a finite number"
    assert [short_bytes(size) for size in (40, 1000, 999_499, 999_500, 1_069_056)] == [
        "40 B", "1 kB", "999 kB", "1 MB", "1.07 MB"
    ]  # fmt: skip
