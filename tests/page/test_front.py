"""The front: what no other point beats, and how it is drawn."""

import math

from tests.page.page_contents import values_of
from tflite_squeeze.page.contents import Front, Measure, Point
from tflite_squeeze.page.front import front_chart, nondominated

BYTES = Measure(label="download", unit="bytes")
ACCURACY = Measure(label="accuracy", unit="share", better="more")


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
    assert values_of(spec)[1] == {
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
    values = values_of(front_chart(Front(x=BYTES, y=ACCURACY, points=points)))
    assert [one["label"] for one in values] == ["float32", "", "best"]
    many = (*points[:1], *(Point(name=str(at), x=at, y=at / 10) for at in range(1, 8)))
    values = values_of(front_chart(Front(x=BYTES, y=ACCURACY, points=many)))
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
    assert [(one["at"], one["on"]) for one in values_of(spec)] == [(1, True)]
    assert front_chart(Front(x=BYTES, y=ACCURACY, points=(broken,))) is None


def test_numbers_that_are_far_apart_stand_on_a_logarithmic_axis() -> None:
    points = (Point(name="a", x=100, y=0.9), Point(name="b", x=2000, y=0.9))
    spec = front_chart(Front(x=BYTES, y=ACCURACY, points=points))
    assert spec is not None
    assert spec["layer"][0]["encoding"]["x"]["scale"]["type"] == "log"
