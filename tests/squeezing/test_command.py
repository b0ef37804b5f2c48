"""`tflite-squeeze squeeze` and `tflite-squeeze schema`."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tflite_squeeze.recipes.files import load_recipe, parse_recipe
from tflite_squeeze.recipes.report import Report
from tflite_squeeze.recipes.run import Progress
from tflite_squeeze.squeezing import command as command

RECIPE = """\
name: tiny
steps:
  - prune: {sparsity: 0.75, budget: uniform}
convert: {quantize: int8, sparsity: dense}
limits: {raw_bytes: 100_000}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(RECIPE.replace("100_000", "100000"))
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("fixed_times")
def test_a_run(run: Any, files: Any, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("squeeze", files.model, "--recipe", recipe, "--data", files.data, "-o", out)
    outcome = run(*arguments)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"{out}: net.tflite meets the recipe; see report.html" in outcome.out
    assert "every check, limit and claim is met" in outcome.out
    assert "\x1b" not in outcome.out
    report = Report.model_validate_json((out / "report.json").read_bytes())
    assert report.recipe["name"] == "tiny"
    assert "| hidden/kernel | zeros | 96 or more | 96 | met |" in (out / "report.md").read_text()
    # Again: not without being told how.
    assert "pass --resume to continue" in run(*arguments).refused()
    again = run(*arguments, "--resume", "--json", "-")
    assert (again.code, again.err) == (0, "")
    assert Report.model_validate_json(again.out).steps == report.steps
    # With a limit that it cannot meet; the progress is lines where there is no terminal.
    recipe.write_text(RECIPE.replace("100_000", "10"))
    failed = run("-v", *arguments, "--force")
    assert failed.code == 1
    assert "limit: raw_bytes is" in failed.err
    assert "step 1 of 1: prune" in failed.err.splitlines()
    assert "NOT met" in failed.out
    assert (out / "report.json").exists()


def test_refused_with_the_line(run: Any, files: Any, recipe: Path, tmp_path: Path) -> None:
    recipe.write_text("name: tiny\nsteps:\n  - prune: {sparsity: 7}\n")
    arguments = ("squeeze", files.model, "-o", tmp_path / "out", "--recipe")
    said = run(*arguments, recipe).refused()
    assert f"{recipe}:3: steps.1.prune.sparsity: 7: " in said
    assert "ships with the package (" in run(*arguments, "nothing").refused()
    recipe.write_text(RECIPE)
    assert "pass one of them" in run(*arguments, recipe, "--resume", "--force").refused()
    assert "convert.input_shapes" in run(*arguments, recipe, "--input-shape", "x=1,8").refused()
    assert "full shapes" in run(*arguments, "fast-cpu", "--input-shape", "x=1,8").refused()
    assert "is calibrated on real samples" in run(*arguments, recipe).refused()
    assert (
        "--time is of a search, and recipe tiny"
        in run(*arguments, recipe, "--time", "1m").refused()
    )
    assert "pass --data" in run(*arguments, "small-download").refused()
    again = ("squeeze", "no.keras", "--recipe", recipe, "-o", tmp_path / "out")
    assert "does not exist" in run(*again).refused()
    assert not (tmp_path / "out").exists()


def test_a_pattern_that_means_no_layer_is_wrong_use(run: Any, files: Any, tmp_path: Path) -> None:
    recipe = tmp_path / "wrong.yaml"
    recipe.write_text(
        "steps:\n  - prune: {sparsity: 0.5, layers: {hiden: 0.5}}\n    on_refusal: skip\n"
    )
    said = run("squeeze", files.model, "--recipe", recipe, "-o", tmp_path / "out").refused()
    assert "step 1 (prune): layers names 'hiden', which matches none of hidden" in said


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    class Context:
        obj = {"quiet": False, "verbose": False}

    with command.shown_progress(Context()) as told:  # type: ignore[arg-type]
        assert told is not None
        told(Progress(done=0, parts=4, what="the model as it is"))
        told(Progress(done=2, parts=4, what="prune", epoch=3, epochs=8))
    shown = capfd.readouterr().err
    assert "step 2 of 2: prune" in shown
    assert "3/8" in shown


def test_schema(run: Any, tmp_path: Path) -> None:
    printed = run("schema")
    assert (printed.code, printed.err) == (0, "")
    written = run("schema", "-o", tmp_path / "schema.json")
    assert (written.code, written.out) == (0, "")
    schema = json.loads((tmp_path / "schema.json").read_text())
    assert schema == json.loads(printed.out)
    for recipe in (parse_recipe(RECIPE.encode(), "tiny.yaml"), load_recipe("small-download")):
        values = recipe.model_dump(mode="json", exclude_none=True)
        jsonschema.Draft202012Validator(schema).validate(values)
    assert "exists: pass --force" in run("schema", "-o", tmp_path / "schema.json").refused()
