"""A run as the contents of a page."""

import pytest

from tests.recipes.report_records import LIMIT, SOURCE, cost, outcome_of, report_of, step_report
from tests.recipes.squeeze_runs import TWO, recipe_of
from tflite_squeeze.page.contents import Tensor
from tflite_squeeze.page.render import report_page
from tflite_squeeze.recipes.page import data_facts, paired, squeeze_contents
from tflite_squeeze.recipes.report import Baseline, Report
from tflite_squeeze.tflite.footprint import TensorBytes

DATA = {
    "source": "my samples.npz",
    "examples": {"train": 900, "validation": None},
    "inputs": {"x": {"shape": [None, 28, 1], "dtype": "float32"}},
    "labelled": True,
    "class_names": ["cat", "dog"],
    "preprocessing": {"scale": 0.5},
    "notes": ["few examples"],
}
SKIPPED = {
    "skipped": [
        {"layer": f"bn_{at}", "layer_type": "BatchNormalization", "reason": "never changed"}
        for at in (1, 2)
    ]
}


def _report(**values: object) -> Report:
    recipe = recipe_of(*TWO).resolved().model_dump(mode="json")
    return report_of(recipe=recipe, data=DATA, **values)


def _tensor(name: str, size: int, *, sparse: bool = False) -> TensorBytes:
    return TensorBytes(
        tensor=name, dtype="int8", bytes=size, parameters=size, zeros=0, sparse=sparse
    )


def test_weights_stand_side_by_side_by_name() -> None:
    before = (_tensor("a;b", 40), _tensor("gone", 30))
    after = (_tensor("a;c", 10, sparse=True), _tensor("new", 50), _tensor("new", 5))
    assert paired(before, after) == (
        Tensor(name="new", after=55, stored_after="int8"),
        Tensor(name="a", before=40, after=10, stored_before="int8", stored_after="int8, sparse"),
        Tensor(name="gone", before=30, stored_before="int8"),
    )


def test_what_is_known_of_the_data() -> None:
    assert data_facts(DATA) == (
        ("source", "my samples.npz"),
        ("examples", "train 900, validation of unknown length"),
        ("inputs", "x ?x28x1 float32"),
        ("labels", "yes"),
        ("classes", "cat, dog"),
        ("preprocessing", "{scale: 0.5}"),
        ("notes", "few examples"),
    )
    assert data_facts({}) == ()


@pytest.mark.slow
def test_a_run_that_passes() -> None:
    steps = (step_report(1), step_report(2, after=0.89, file=cost(1), record=SKIPPED))
    contents = squeeze_contents(_report(steps=steps))
    assert contents.verdict is not None
    assert contents.verdict.passed
    assert contents.front is not None
    assert [(one.name, one.kind, one.x, one.y) for one in contents.front.points] == [
        ("float32", "given", 9000, 0.9), ("as converted", "given", 3600, 0.9),
        ("1 prune", "tried", 1800, 0.895), ("2 prune", "result", 900, 0.89),
    ]  # fmt: skip
    assert "sparsity: 0.75" in contents.front.points[3].recipe
    assert "on_refusal" not in contents.front.points[3].recipe
    assert [one.what for one in contents.refusals] == [
        "step 2, prune: BatchNormalization bn_1, bn_2"
    ]
    assert contents.commands == (
        "tflite-squeeze squeeze net.keras --recipe recipe.yaml --data 'my samples.npz' -o again",
    )
    assert b"every check" not in report_page(contents)


@pytest.mark.slow
def test_a_run_that_does_not_pass_says_why_and_has_no_result() -> None:
    report = _report(outcome=outcome_of(limits=(LIMIT,)), passing="before/converted.tflite")
    contents = squeeze_contents(report)
    assert contents.verdict is not None
    assert contents.verdict.lines == (
        "limit: raw_bytes is 1,000, and 900 is the limit",
        "before/converted.tflite, the unchanged model, passes its check: use that for now",
    )
    assert contents.front is not None
    assert [one.kind for one in contents.front.points] == ["given", "given", *["rejected"] * 2]
    assert [one.reason for one in contents.refusals] == ["skipped: too lossy"]


def test_a_run_that_was_stopped_has_no_file_to_show() -> None:
    stopped = step_report(1, status="stopped", reasons=("too lossy",), after=None, file=None)
    contents = squeeze_contents(_report(steps=(stopped,), outcome=None))
    assert contents.summary is None
    assert contents.front is None
    assert contents.tensors == ()
    assert contents.steps is not None
    assert [one.kept for one in contents.steps.steps] == [True, True, False]


def test_without_labels_there_is_no_front() -> None:
    base = Baseline(metric="loss", quality=None, plain=cost(3), start=cost(2), tensors=())
    contents = squeeze_contents(_report(baseline=base, outcome=None, model=SOURCE))
    assert contents.front is None
