"""`compare` as a shell runs it: tables, exit codes for CI, outputs."""

import csv
import json
from pathlib import Path

import pytest

from tests.command_runs import Files, Run
from tests.runtime.runtime_files import crashing_file, custom_file, named_dense_file
from tflite_squeeze.comparison.record import CompareRecord

QUICK = ["--turns", "3"]


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a.tflite", tmp_path / "b.tflite"]
    for path in paths:
        path.write_bytes(named_dense_file())
    return paths


@pytest.mark.own_process
def test_one_table(two: list[Path], run: Run) -> None:
    outcome = run("compare", *two, *QUICK, "--fail-if", "raw_ratio > 1")
    assert outcome.code == 0
    assert f"Comparison with {two[0]}" in outcome.out
    assert outcome.err == ""


def test_a_condition_that_holds_exits_with_1(two: list[Path], run: Run) -> None:
    outcome = run("compare", *two, *QUICK, "--fail-if", "raw_ratio >= 1")
    assert outcome.code == 1
    assert "raw_ratio >= 1 on litert (raw_ratio is 1)" in outcome.err
    assert "Comparison with" in outcome.out


@pytest.mark.slow
def test_data_files_and_outputs(files: Files, tmp_path: Path, run: Run) -> None:
    copy = tmp_path / "copy.tflite"
    copy.write_bytes(files.tflite.read_bytes())
    page, table = tmp_path / "page.md", tmp_path / "figures.csv"
    html = tmp_path / "page.html"
    outcome = run(
        "compare", files.tflite, copy, "--data", files.data, *QUICK, "--json", "-",
        "--markdown", page, "--html", html, "--csv", table, "--fail-if", "accuracy_drop > 0.005",
    )  # fmt: skip
    assert outcome.code == 0
    record = CompareRecord.model_validate(json.loads(outcome.out))
    assert record.files[1].accuracy is not None
    assert record.files[1].accuracy.accuracy == 1.0
    assert "## Comparison with" in page.read_text()
    assert "accuracy by latency" in html.read_text()
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["accuracy_drop"] for row in rows] == ["0.0", "0.0"]
    again = run("compare", files.tflite, copy, *QUICK, "--csv", table)
    assert "exists" in again.refused()


@pytest.mark.slow
def test_a_file_that_cannot_be_run_cannot_pass(two: list[Path], run: Run) -> None:
    two[1].write_bytes(custom_file("Wobble"))
    outcome = run("compare", *two, *QUICK, "--fail-if", "latency_ratio > 1000")
    assert outcome.code == 1
    assert "cannot be evaluated" in outcome.err
    assert run("compare", *two, *QUICK).code == 0


@pytest.mark.own_process
def test_a_file_that_would_crash_the_runtime_is_refused(two: list[Path], run: Run) -> None:
    two[1].write_bytes(crashing_file())
    assert "its subgraph 0 runs itself" in run("compare", *two, *QUICK).refused()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fail-if", "speed > 1"], "'speed' is not known: use raw_bytes, raw_ratio"),
        (["--fail-if", "raw_ratio >"], "a name or a number is missing at its end"),
        (["--fail-if", "accuracy_drop > 0"], "accuracy_drop is not measured here: pass --data"),
        (["--runtime", "gpu"], "'gpu' is not one of 'litert', 'larq', 'micro'"),
        (["--samples", "none"], "--samples is 'none'"),
    ],
)
def test_wrong_use_is_one_clear_line(
    two: list[Path], arguments: list[str], said: str, run: Run
) -> None:
    assert said in run("compare", *two, *arguments).refused()


def test_too_few_files_and_missing_ones(two: list[Path], run: Run) -> None:
    assert "two different files" in run("compare", two[0]).refused()
    assert "does not exist" in run("compare", two[0], two[0].with_name("no.tflite")).refused()
    two[1].write_bytes(b"hello")
    assert "not a .tflite file" in run("compare", *two).refused()
