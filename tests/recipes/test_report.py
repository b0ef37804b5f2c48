"""A run's report: through JSON and back, as tables and as pictures."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.recipes.report_records import CLAIM, LIMIT, cost, outcome_of, report_of, step_report
from tflite_squeeze.recipes.plots import steps_plot, tensors_plot
from tflite_squeeze.recipes.report import Baseline, Report
from tflite_squeeze.recipes.run import Result
from tflite_squeeze.recipes.tables import quality_text, squeeze_tables
from tflite_squeeze.tables.markdown import to_markdown


def test_through_json_and_back() -> None:
    report = report_of()
    assert Report.model_validate_json(report.model_dump_json()) == report
    assert report.passed
    assert report.failures == ()


@pytest.mark.slow
def test_everything_that_is_not_met_is_told() -> None:
    report = report_of(
        outcome=outcome_of(
            limits=(LIMIT, LIMIT.model_copy(update={"found": None})), claims=(CLAIM,)
        )
    )
    assert report.failures == (
        "limit: raw_bytes is 1,000, and 900 is the limit",
        "limit: raw_bytes was not measured, and 900 is the limit",
        "claim: w has 8 (zeros), claimed was 9 or more",
    )
    stopped = report_of(steps=(step_report(1, status="stopped", reasons=("a", "b")),), outcome=None)
    assert stopped.failures == ("step 1 (prune) does not pay: a; b",)
    assert not stopped.passed


def test_a_softened_step_says_what_it_asked_for_before() -> None:
    step = step_report(1, softened=("sparsity 0.96 → 0.8: too lossy",))
    table = next(one for one in squeeze_tables(report_of(steps=(step,), outcome=None))
                 if one.title.startswith("Steps"))  # fmt: skip
    assert table.rows[1][2] == "done, softened"
    assert table.notes == ("step 1 (prune) softened: sparsity 0.96 → 0.8: too lossy",
                           "1 more step not run")  # fmt: skip


@pytest.mark.slow
def test_tables() -> None:
    text = to_markdown(squeeze_tables(report_of(outcome=outcome_of(limits=(LIMIT,)))))
    for line in (
        "| file (bytes) | 10,000 | 1,000 | 10.0x smaller |",
        "| run, one thread (µs) | 30.0 | 10.0 | 4.00x faster |",
        "NOT met: limit: raw\\_bytes is 1,000, and 900 is the limit",
        "| 2 | prune | skipped | 50.00% | 2,000 | 1,800 | 50 | 14 | 200 | 1.5 |",
        "step 2 (prune) skipped: too lossy",
        "| raw\\_bytes | bytes | 900 | 1,000 | NOT met |",
        "1 of 1 claims are met in the bytes of the file",
        "| numpy | 1.26 |",
    ):
        assert line in text
    assert "absent" not in text
    assert "not faster" not in text


@pytest.mark.slow
def test_what_the_numbers_rest_on_stands_below_the_first_table() -> None:
    note = "there is no test part: accuracy is measured on the train part, which is optimistic"
    summary, *others = squeeze_tables(report_of(data={"source": "set", "notes": [note]}))
    assert note in summary.notes
    assert all(note not in table.notes for table in others)


@pytest.mark.slow
def test_a_run_that_is_slower_says_so() -> None:
    outcome = outcome_of()
    assert outcome.latency is not None
    slower = outcome.latency.model_copy(update={"over_plain": 1.35})
    report = report_of(outcome=outcome.model_copy(update={"latency": slower}))
    text = to_markdown(squeeze_tables(report))
    assert "1.35x SLOWER" in text
    assert "not faster than that of the unchanged model in float32: where speed matters" in text


@pytest.mark.slow
def test_a_slower_run_that_chose_its_type_is_not_told_to_choose() -> None:
    outcome = outcome_of()
    assert outcome.latency is not None
    slower = outcome.latency.model_copy(update={"over_plain": 1.35})
    chosen = report_of().baseline.model_copy(update={"choices_us": {"int8": 30.0, "none": 10.0}})
    report = report_of(baseline=chosen, outcome=outcome.model_copy(update={"latency": slower}))
    text = to_markdown(squeeze_tables(report))
    assert "quantization none, the fastest here" in text
    assert "not faster than that of the unchanged model in float32" in text
    assert "try `fastest_of" not in text


@pytest.mark.slow
def test_a_long_list_of_claims_is_cut_and_those_that_fail_come_first() -> None:
    good = CLAIM.model_copy(update={"passed": True})
    tables = squeeze_tables(report_of(outcome=outcome_of(claims=(*[good] * 50, CLAIM))))
    table = next(one for one in tables if one.title.startswith("Claims"))
    assert len(table.rows) == 40
    assert table.rows[0][-1] == "NOT met"
    assert table.notes[1] == "11 more are in report.json"


def test_quality_text() -> None:
    assert quality_text("accuracy", 0.5) == "50.00%"
    assert quality_text("loss", 0.5) == "0.5"
    assert quality_text("loss", None) == "not measured"


def _pixels(png: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.slow
def test_pictures() -> None:
    """Grey, which stands for what was not kept, is there only where a step was not kept."""
    grey = np.array([0xBB, 0xBB, 0xBB])
    with_skipped = _pixels(steps_plot(report_of()))
    assert np.all(with_skipped == grey, axis=2).sum() > 500
    kept = _pixels(steps_plot(report_of(steps=(step_report(1),))))
    assert np.all(kept == grey, axis=2).sum() < 50
    unlabelled = Baseline(metric="loss", quality=None, plain=cost(3), start=cost(2), tensors=())
    none = report_of(
        baseline=unlabelled, steps=(step_report(1, after=None, metric="loss"),), outcome=None
    )
    assert _pixels(steps_plot(none)).shape[0] > 300
    assert _pixels(tensors_plot(report_of())).shape[1] > 1000


@pytest.mark.slow
def test_a_notebook_shows_tables_and_both_pictures() -> None:
    report = report_of()
    html = report._repr_html_()
    assert "10.0x smaller" in html
    assert html.count("data:image/png;base64,") == 2
    result = Result(model=None, tflite=None, report=report, folder=None)
    assert result._repr_html_() == html
