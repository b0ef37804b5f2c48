"""The JSON Schema of recipes, by which editors complete and check them."""

from typing import Any

from tflite_squeeze.recipes.recipe import Recipe


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema of a recipe, made from the configs themselves.

    Example:
        >>> recipe_schema()["title"]
        'Recipe'
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Recipe.model_json_schema(),
    }
