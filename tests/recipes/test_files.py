"""Recipes as YAML: read, refused with the line, written, and completed by their schema."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import InputError
from tflite_squeeze.recipes.files import (
    dump_recipe,
    load_recipe,
    parse_recipe,
    recipe_names,
    recipe_schema,
)
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.techniques.l0.config import L0
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.training.config import FineTune

SOUND = """\
name: small
steps:
  - prune: {sparsity: 0.97, budget: global, schedule: {kind: polynomial, frequency: 50}}
    finetune: {epochs: 8, learning_rate: 2e-3}
    max_drop: 0.01
  - l0:
      lam: 10
    on_refusal: skip
convert:
  quantize: int8
limits:
  max_drop: 0.003
  latency_ms: 5
"""


def _refused(text: str) -> str:
    with pytest.raises(InputError) as error:
        parse_recipe(text.encode(), "r.yaml")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_it_says_is_what_is_read() -> None:
    recipe = parse_recipe(SOUND.encode(), "r.yaml")
    first, second = recipe.steps
    assert first.technique == "prune"
    assert first.config == Prune(sparsity=0.97, budget="global", schedule={"frequency": 50,
                                 "kind": "polynomial"})  # fmt: skip
    assert first.finetune == FineTune(epochs=8, learning_rate=0.002)
    assert second.config == L0(lam=10)
    assert second.on_refusal == "skip"
    assert recipe.limits.latency_ms == 5
    assert recipe.verify.samples is None


@pytest.mark.parametrize("seed", [None, 3])
def test_it_goes_through_yaml_and_json_and_back(seed: int | None) -> None:
    recipe = parse_recipe(SOUND.encode(), "r.yaml").resolved(seed)
    assert parse_recipe(dump_recipe(recipe).encode(), "r.yaml") == recipe
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_resolved_says_everything() -> None:
    given = "seed: 4\non_refusal: skip\nsteps:\n- {prune: {sparsity: 0.5}, finetune: {}}\n"
    recipe = parse_recipe(given.encode(), "r.yaml")
    (step,) = recipe.resolved().steps
    assert step.finetune == FineTune(seed=4)
    assert step.on_refusal == "skip"
    (step,) = recipe.resolved(9).steps
    assert step.finetune == FineTune(seed=9)
    own = parse_recipe(given.replace("{}", "{seed: 1}").encode(), "r.yaml").resolved(9)
    assert own.steps[0].finetune == FineTune(seed=1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("frequency", "frequncy", "r.yaml:3: steps.1.prune.schedule: unknown key 'frequncy': "
         "did you mean 'frequency'?"),
        ("limits:", "limit:", "r.yaml:11: the recipe: unknown key 'limit': did you mean 'limits'?"),
        ("lam: 10", "lamm: 10", "r.yaml:7: steps.2.l0: unknown key 'lamm': did you mean 'lam'?"),
        ("  max_drop: 0.003", "  zzz: 3", "r.yaml:12: limits: unknown key 'zzz': use one of "
         "max_drop, raw_bytes"),
        ("0.97", "1.5", "r.yaml:3: steps.1.prune.sparsity: 1.5: Input should be less than 1"),
        ("0.97", "97%", "r.yaml:3: steps.1.prune.sparsity: '97%': Input should be a valid number"),
        ("2e-3", "fast", "r.yaml:4: steps.1.finetune.learning_rate: 'fast': "),
        ("epochs: 8", "epochs: 0", "r.yaml:4: steps.1.finetune.epochs: 0: "),
        ("2e-3", ".nan", "r.yaml:4: steps.1.finetune.learning_rate: nan: "),
        ("lam: 10", "lam: -1", "r.yaml:7: steps.2.l0.lam: -1: "),
        ("int8", "int9", "r.yaml:10: convert.quantize: 'int9': "),
        ("quantize: int8", "io_dtype: int8", "r.yaml:9: convert: io_dtype int8 needs quantize"),
        ("skip", "ignore", "r.yaml:8: steps.2.on_refusal: 'ignore': Input should be 'soften'"),
        ("kind: polynomial", "kind: poly", "r.yaml:3: steps.1.prune.schedule: "),
        ("budget: global", "threshold: 1.0", "r.yaml:3: steps.1.prune: sparsity and threshold "),
        ("    on_refusal", "    finetune: false\n    on_refusal", "r.yaml:6: steps.2: l0 is"),
        ("  - l0:", "  - prune: {sparsity: 0.99}\n    l0:", "r.yaml:6: steps.2: a step has"),
        ("name: small", "name: small\nname: big", "r.yaml:2: 'name' occurs twice"),
        ("name: small", "name: two words", "r.yaml:1: name: 'two words': "),
        ("name: small", "steps: &a\n  - *a", "r.yaml:1: it is too large or too deeply nested"),
        ("name: small", "? [a]\n: 1", "r.yaml:1: a key must be a name"),
        ("limits:", "\tlimits:", "r.yaml:11: it is not YAML"),
        ("name: small", "name: [small", "it is not YAML"),
        ("name: small", "name: " + "[" * 3000, "r.yaml:1: it is nested too deeply"),
        ("name: small", "name: small\nseed: !!bool maybe", "r.yaml:2: 'maybe' cannot be read as"),
        ("name: small", "name: !!timestamp small", "r.yaml:1: 'small' cannot be read as"),
        ("name: small", "name: !!binary 1", "r.yaml:1: '1' cannot be read as"),
        ("  max_drop: 0.003", "  packed_bytes: 9", "r.yaml:1: limits.packed_bytes needs a packed"),
        ("limits:", "fastest_of: [int8, none]\nlimits:", "fastest_of chooses convert.quantize"),
        ("  quantize: int8", "  batch: 1\nfastest_of: [int8]", "two or more types, each named"),
        ("  quantize: int8", "  runtime: larq\nfastest_of: [int8, none]",
         "fastest_of int8: runtime larq takes"),
        ("  max_drop: 0.003", "  max_drop: 2001-01-01", "r.yaml:12: limits.max_drop: '2001-01-01'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, said: str) -> None:
    assert old in SOUND
    assert said in _refused(SOUND.replace(old, new, 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "r.yaml:1: a recipe is a mapping"),
        ("- 1", "r.yaml:1: a recipe is a mapping"),
        ("steps: 3", "r.yaml:1: steps: 3: "),
        ("steps:\n  - finetune: {}", "r.yaml:2: steps.1: a step names no technique"),
        ("steps:\n\n  - 7", "r.yaml:3: steps.1: 7 stands where"),
        ("a: \x01", "r.yaml:1: it is not YAML"),
    ],
)
def test_what_is_no_recipe_at_all(text: str, said: str) -> None:
    assert said in _refused(text)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(InputError, match=r"r\.yaml:1: it is not UTF-8 text"):
        parse_recipe(b"name: \xff", "r.yaml")


def test_references_are_followed() -> None:
    """PyYAML writes them where a value occurs twice."""
    text = b"steps: [{prune: &p {sparsity: 0.5}}, {prune: &q {sparsity: 0.7}, finetune: &f {}}]"
    recipe = parse_recipe(text + b"\nverify: {samples: 5}\nconvert: &c {name: a}", "r.yaml")
    assert recipe.convert.name == "a"
    again = parse_recipe(b"steps: [{prune: {sparsity: 0.5}, finetune: &f {epochs: 1}},"
                         b"{prune: {sparsity: 0.7}, finetune: *f}]", "r.yaml")  # fmt: skip
    assert again.steps[0].finetune == again.steps[1].finetune == FineTune(epochs=1)
    bomb = "a0: &a0 [1, 1]\n" + "".join(
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 9)
    )
    assert "it is too large" in _refused(bomb)


def test_numbers_are_those_of_json() -> None:
    recipe = parse_recipe(b"limits: {raw_bytes: 010, max_drop: 1e-2}", "r.yaml")
    assert recipe.limits.raw_bytes == 10
    assert recipe.limits.max_drop == 0.01


def test_a_file_or_a_name_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"neither a file nor a recipe that ships .*small-download"
    ):
        load_recipe("smal-download")
    with pytest.raises(InputError, match="does not exist"):
        load_recipe(tmp_path / "r.yaml")


@pytest.mark.parametrize("name", recipe_names())
def test_those_that_ship_are_sound(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description
    jsonschema.validate(json.loads(recipe.model_dump_json(exclude_none=True)), recipe_schema())


def _validator() -> Any:
    schema = recipe_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_schema_takes_what_is_sound() -> None:
    values = yaml.safe_load(SOUND.replace("2e-3", "0.002"))
    assert list(_validator().iter_errors(values)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("frequency", "frequncy"), ("0.97", "1.5"), ("int8", "int9"), ("lam: 10", "lam: -1"),
        ("skip", "ignore"), ("name: small", "nam: small"), ("  - l0:", "  - prune: {}\n    l0:"),
        ("prune:", "prunee:"), ("epochs: 8", "epochs: 0"),
    ],
)  # fmt: skip
def test_the_schema_refuses_what_is_not(old: str, new: str) -> None:
    values = yaml.safe_load(SOUND.replace("2e-3", "0.002").replace(old, new, 1))
    assert list(_validator().iter_errors(values))


def test_where_types_are_timed_the_dynamic_one_is_in_its_fastest_form() -> None:
    recipe = Recipe(fastest_of=("dynamic", "float16"))
    assert recipe.settings_for(Quantization.DYNAMIC).minimize == "latency"
    assert recipe.settings_for(Quantization.FLOAT16).minimize == "bytes"
    assert recipe.converted_to(Quantization.DYNAMIC).convert.minimize == "latency"
    assert Recipe().settings_for(Quantization.DYNAMIC).minimize == "bytes"


def test_what_is_searched_for_stands_alone() -> None:
    text = "name: small\ntune: {minimize: download, max_drop: 0.003}\n"
    recipe = parse_recipe(text.encode(), "r.yaml")
    assert recipe.tune is not None
    assert recipe.tune.minimize == ("download",)
    assert parse_recipe(dump_recipe(recipe).encode(), "r.yaml") == recipe
    assert Recipe.model_validate_json(recipe.model_dump_json()).tune == recipe.tune
    said = _refused(text + "pack: true\nsteps:\n  - prune: {sparsity: 0.5}\n")
    assert said.startswith("r.yaml:1: ")
    assert "tune searches for what pack, steps would say: leave either out" in said
    assert "r.yaml:2: tune.minimize: 'speed'" in _refused(text.replace("download", "speed"))


def test_a_plan_is_a_file_beside_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("weights: {a/kernel: {bits: 4, axis: -1}}\n")
    (tmp_path / "recipe.yaml").write_text("convert: {plan: plan.yaml}\n")
    plan = load_recipe(tmp_path / "recipe.yaml").convert.plan
    assert plan is not None
    assert plan.weights["a/kernel"].bits == 4
    (tmp_path / "plan.yaml").write_text("weights: {a/kernel: {bits: 5}}\n")
    with pytest.raises(InputError, match=r"plan.yaml:1: weights.a/kernel.bits"):
        load_recipe(tmp_path / "recipe.yaml")
    (tmp_path / "recipe.yaml").write_text("convert: {plan: none.yaml}\n")
    with pytest.raises(InputError, match=r"plan .*none.yaml does not exist"):
        load_recipe(tmp_path / "recipe.yaml")
