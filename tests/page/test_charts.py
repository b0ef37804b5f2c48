"""Charts of steps, weights and operators: what is drawn of which numbers."""

import math

from tests.page.page_contents import values_of
from tflite_squeeze.page.charts import (
    MOST_OPERATORS,
    MOST_TENSORS,
    operators_chart,
    quality_chart,
    sizes_chart,
    tensors_chart,
)
from tflite_squeeze.page.contents import Measure, Operator, Step, Steps, Tensor

ACCURACY = Measure(label="accuracy", unit="share", better="more")


def test_steps_that_were_not_kept_are_marked_and_those_not_measured_left_out() -> None:
    steps = Steps(
        quality=ACCURACY,
        steps=(
            Step(name="float32", quality=0.9, raw_bytes=100, download_bytes=90),
            Step(name="1 prune", quality=0.5, kept=False),
            Step(name="2 cluster"),
        ),
    )
    quality = values_of(quality_chart(steps))
    assert [(one["row"], one["x"], one["kept"]) for one in quality] == [
        (0, 0.9, "kept"), (1, 0.5, "not kept")
    ]  # fmt: skip
    assert [(one["row"], one["of"], one["x"]) for one in values_of(sizes_chart(steps))] == [
        (0, "file", 100), (0, "download (gzip -9)", 90)
    ]  # fmt: skip
    bare = Steps(quality=ACCURACY, steps=(Step(name="a"),))
    assert quality_chart(bare) is None
    assert sizes_chart(bare) is None


def test_a_quality_that_is_no_finite_number_is_not_drawn() -> None:
    steps = (Step(name="a", quality=math.inf), Step(name="b", quality=0.5))
    assert len(values_of(quality_chart(Steps(quality=ACCURACY, steps=steps)))) == 1


def test_the_smallest_of_many_tensors_are_added_up() -> None:
    tensors = [Tensor(name=f"net/w{at}", before=at, after=1) for at in range(1, 26)]
    spec = tensors_chart(tensors)
    last = [one for one in values_of(spec) if one["row"] == MOST_TENSORS]
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
    assert [(one["x"], one["of"]) for one in values_of(spec)] == [
        (9.0, "built-in"), (1.0, "XNNPACK")
    ]  # fmt: skip
    assert spec is not None
    assert spec["params"][0]["value"] == ["Conv #2", "Add #1"]
    many = operators_chart([*operators * 20])
    assert len(values_of(many)) == MOST_OPERATORS + 1
    assert values_of(many)[-1]["tooltip"]["operator"] == "10 others"
    assert operators_chart([]) is None
