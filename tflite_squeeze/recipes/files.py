"""Recipes as YAML: read with the line of everything that is wrong, and written."""

from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from tflite_squeeze.errors import InputError
from tflite_squeeze.files.files import read_file
from tflite_squeeze.files.settings_text import parsed
from tflite_squeeze.network.quantization.plan_files import load_plan
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.recipes.recipe import Recipe


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema of a recipe, made from the configs themselves.

    Example:
        >>> recipe_schema()["title"]
        'Recipe'
    """
    schema = Recipe.model_json_schema()
    for part in schema["$defs"].values():
        if "plan" in part.get("properties", {}):
            part["properties"]["plan"]["anyOf"].append(
                {"type": "string", "description": "A file, relative to the recipe's."}
            )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


_MOST_VALUES, _MOST_BYTES = 10_000, 2**18
_SHIPPED = resources.files("tflite_squeeze") / "recipes" / "shipped"


def recipe_names() -> tuple[str, ...]:
    """The recipes that ship with this package."""
    names = (item.name for item in _SHIPPED.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load_recipe(source: str | Path | Recipe | Tune | None) -> Recipe:
    """Reads a recipe and refuses it, with the line, before anything runs.

    Args:
        source: a file, the name of a recipe that ships, a recipe, or what a recipe searches for;
            None for a search with the defaults of `Tune`.

    Returns:
        The recipe.

    Raises:
        InputError: it cannot be read, or something in it cannot be; the message begins with
            FILE:LINE.

    Example:
        >>> load_recipe("small-download").name
        'small-download'
    """
    if isinstance(source, Recipe):
        return source
    if source is None or isinstance(source, Tune):
        return Recipe(name="tune", tune=source or Tune())
    path = Path(source)
    if str(source) in recipe_names() and not path.exists():
        text = (_SHIPPED / f"{source}.yaml").read_bytes()
        return parse_recipe(text, f"{source}.yaml")
    if not path.exists() and not path.suffix:
        raise InputError(
            f"recipe {source} is neither a file nor a recipe that ships with the package "
            f"({', '.join(recipe_names())}): check the name"
        )
    return parse_recipe(read_file(path, "recipe", most_bytes=_MOST_BYTES), str(path))


def parse_recipe(content: bytes, file: str) -> Recipe:
    """Reads a recipe from its text.

    Args:
        content: YAML in UTF-8.
        file: what it is called, for messages.

    Raises:
        InputError: as `load_recipe`.
    """
    return parsed(
        Recipe,
        content,
        file,
        what="recipe",
        holds="a mapping with name and steps, or name and tune",
        most_values=_MOST_VALUES,
        opened=partial(_open_plans, folder=Path(file).parent),
    )


def _open_plans(values: dict[str, Any], folder: Path) -> None:
    """Reads the plans whose files a recipe names, relative to its own folder."""
    steps = values.get("steps")
    listed = steps if isinstance(steps, list) else []
    parts = [step.get("quantize") for step in listed if isinstance(step, dict)]
    for part in (values.get("convert"), *parts):
        if isinstance(part, dict) and isinstance(part.get("plan"), str):
            part["plan"] = load_plan(folder / part["plan"])


def dump_recipe(recipe: Recipe) -> str:
    """Writes a recipe as YAML that `load_recipe` reads back as the same.

    Example:
        >>> parse_recipe(dump_recipe(recipe).encode(), "recipe.yaml") == recipe
        True
    """
    if recipe.tune is not None:
        # What is not said is not asked for: the default of min_agreement depends on the model.
        values = recipe.model_dump(mode="json", exclude_unset=True)
    else:
        values = recipe.model_dump(mode="json", exclude={"tune"})
        # A step names its own technique only.
        values["steps"] = [
            {key: value for key, value in step.items() if value is not None}
            for step in values["steps"]
        ]
    text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
    return text
