"""Recipes for the tiny network."""

from typing import Any

from tflite_squeeze.recipes.recipe import Recipe

TRAINING = {"epochs": 2, "batch": 16, "learning_rate": 0.01}
INT8 = {"quantize": "int8", "per_channel_dense": False, "sparsity": "dense"}


def recipe_of(*steps: Any, **values: Any) -> Recipe:
    return Recipe.model_validate({"name": "tiny", "steps": steps, "convert": INT8, **values})


TWO = (
    {"prune": {"sparsity": 0.5, "budget": "uniform"}, "finetune": TRAINING},
    {"prune": {"sparsity": 0.75, "budget": "uniform"}, "finetune": TRAINING},
)
