"""The list of techniques, what each says of itself, and one from outside the package."""

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import jsonschema
import numpy as np
import pytest
from pydantic import BaseModel

from tests.conftest import REPOSITORY
from tests.techniques import rounding
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.recipes.files import parse_recipe, recipe_schema
from tflite_squeeze.recipes.recipe import Recipe, Step
from tflite_squeeze.techniques.registry import register, technique, techniques
from tflite_squeeze.techniques.technique import Technique
from tflite_squeeze.training.record import StepRecord

BUILT_IN = techniques()
ONE_BY_ONE = pytest.mark.parametrize("one", BUILT_IN, ids=lambda one: one.name)


@ONE_BY_ONE
def test_every_part_is_there_and_of_its_kind(one: Technique) -> None:
    config, record = one.part("config"), one.part("record")
    assert issubclass(config, BaseModel)
    assert config.model_config["frozen"]
    assert issubclass(record, StepRecord)
    assert record.model_fields["config"].annotation is config
    assert isinstance(one.part("command"), click.Command)
    assert list(inspect.signature(one.part("verb")).parameters)[1:3] == ["config", "data"]
    assert callable(one.part("step"))
    callback, claims = one.part("callback"), one.part("claims")
    assert callback is None or callable(callback.on_train_begin)
    if claims is not None:
        first, _ = inspect.signature(claims).parameters.values()
        assert first.annotation is record


@ONE_BY_ONE
def test_its_package_says_what_each_file_is_for(one: Technique) -> None:
    module = import_module(one.package)
    assert module.__doc__ is not None
    assert "arXiv:" in module.__doc__
    assert "It pays" in module.__doc__
    files = re.search(r"^Files:\n(.+?)\n\n", module.__doc__, re.MULTILINE | re.DOTALL)
    assert files is not None
    named = re.findall(r"[\w/]+(?:\.py|/)", "".join(re.findall(r"^    \w.*?:", files[1], re.M)))
    folder = Path(module.__path__[0])
    there = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    there |= {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}
    assert sorted(named) == sorted(there)


@ONE_BY_ONE
def test_it_has_a_guide_with_its_command(one: Technique) -> None:
    pages = (page.read_text() for page in (REPOSITORY / "docs" / "guides").glob("*.md"))
    assert any(f"\n$ tflite-squeeze {one.name} " in page for page in pages)


def test_what_one_undoes_another_makes() -> None:
    """A property that nothing makes would be misspelt, and its rule without effect."""
    made = {prop for one in BUILT_IN for prop in one.makes}
    assert {prop for one in BUILT_IN for prop in one.undoes} <= made
    aliases = [alias for one in BUILT_IN for alias in one.aliases]
    assert len(aliases) == len(set(aliases))


def test_the_list_loads_nothing_heavy() -> None:
    program = (
        "import sys, tflite_squeeze.techniques.registry;"
        "sys.exit(bool({'tensorflow', 'pydantic', 'click', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_names_are_unique_and_unknown_ones_are_told_the_known() -> None:
    with pytest.raises(UsageError, match="there is a technique 'prune' already"):
        register(replace(rounding.TECHNIQUE, name="prune"))
    with pytest.raises(UsageError, match="no technique 'round': use one of prune, l0, entropy"):
        technique("round")


@pytest.fixture
def registered() -> Iterator[None]:
    with register(rounding.TECHNIQUE):
        yield


@pytest.mark.usefixtures("registered")
def test_a_recipe_takes_a_technique_from_outside() -> None:
    step = Step(round={"step": 0.5})
    assert step.technique == "round"
    assert step.config == rounding.config.Round(step=0.5)
    text = b"steps:\n  - round: {step: 0.5, onl: [a]}\n"
    with pytest.raises(InputError, match=r"r\.yaml:2: .*unknown key 'onl': did you mean 'only'"):
        parse_recipe(text, "r.yaml")
    with pytest.raises(ValueError, match=r"prune \(step 2\) undoes round \(step 1\): new zeros"):
        Recipe(steps=[{"round": {"step": 0.5}}, {"prune": {"sparsity": 0.5}}])
    sound = Recipe(steps=[{"prune": {"sparsity": 0.5}}, step])
    jsonschema.validate(sound.model_dump(mode="json", exclude_none=True), recipe_schema())
    assert Recipe.model_validate_json(sound.model_dump_json()) == sound


def test_without_it_the_recipe_is_refused_again() -> None:
    before = recipe_schema()
    with register(rounding.TECHNIQUE):
        assert recipe_schema() != before
    assert recipe_schema() == before
    with pytest.raises(ValueError, match="round"):
        Recipe(steps=[{"round": {"step": 0.5}}])


def test_a_part_may_be_the_object_itself() -> None:
    assert replace(rounding.TECHNIQUE, config=dict).part("config") is dict


@pytest.mark.usefixtures("registered")
def test_its_command_appears_and_runs(run: Any, files: Any, tmp_path: Path) -> None:
    assert "  round        Round weights to multiples of a step." in run("--help").out
    outcome = run("round", files.model, "-o", tmp_path / "round.keras", "--step", "0.25")
    assert (outcome.code, outcome.err) == (0, "")
    assert "hidden/kernel" in outcome.out
    kernel = load_model(tmp_path / "round.keras").model.layers[0].get_weights()[0]
    np.testing.assert_array_equal(kernel, np.round(kernel * 4) / 4)


@pytest.mark.slow
@pytest.mark.usefixtures("registered", "fixed_times")
def test_the_report_has_its_step_and_checks_its_claims(
    run: Any, files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("steps:\n  - round: {step: 0.25}\n    finetune: false\n")
    squeeze = ("squeeze", files.model, "--recipe", recipe, "--data", files.data)
    outcome = run(*squeeze, "-o", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    (step,) = report["steps"]
    assert (step["technique"], step["status"]) == ("round", "done")
    assert step["record"]["config"] == {"step": 0.25, "only": []}
    claims = {claim["weight"]: claim for claim in report["outcome"]["claims"]
              if claim["kind"] == "distinct values"}  # fmt: skip
    assert claims["hidden/kernel"]["passed"] is True
    assert "| 1 | round | done |" in (tmp_path / "run" / "report.md").read_text()

    def boasting(*_args: Any) -> Any:
        return {"hidden/kernel": rounding.claims.Claimed(distinct=1)}

    monkeypatch.setattr(rounding.claims, "claimed", boasting)
    outcome = run(*squeeze, "-o", tmp_path / "boasted")
    assert outcome.code == 1
    assert "claim: hidden/kernel" in outcome.err
