"""The verb: runs the steps of a recipe, or searches where no numbers are given."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.recipes.files import load_recipe
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.recipes.run import Result
from tflite_squeeze.recipes.run_recipe import run_recipe

if TYPE_CHECKING:
    from tflite_squeeze.search.tune import Tuned


@checked_arguments
def squeeze(
    model: Any,
    recipe: str | Path | Recipe | Tune | None = None,
    data: Any = None,
    folder: str | Path | None = None,
    *,
    seed: int | None = None,
    resume: bool = False,
    force: bool = False,
    allow_unsafe: bool = False,
    on_progress: Callable[[Any], None] | None = None,
) -> "Result | Tuned":
    """Makes a model small and fast: by the steps of a recipe, or by a search for them.

    Args:
        model: a Keras model of either version, a path to one, or a `LoadedModel`.
        recipe: a `Recipe`, a `Tune`, a YAML file, or the name of a recipe that ships; by default a
            search with the defaults of `Tune`, the same as `tune(model, Tune(), data)`.
        data: `Data` or anything that `load_data` takes; a search needs it.
        folder: where the models, the file and the report go; None keeps none of them.
        seed: takes the place of the recipe's.
        resume: go on where an interrupted run of the same recipe, model and data ended. What the
            steps of a recipe make equals, byte for byte, what they would have made uninterrupted.
        force: start again where the folder holds files.
        allow_unsafe: whether Lambda layers may bring Python code out of model files.
        on_progress: called with the `Progress` of a recipe's steps, with a line by a search.

    Returns:
        The file and the evidence, whether the limits are met or not, which `check` of the result
        says: a `Result` of steps, a `Tuned` of a search.

    Raises:
        UsageError: the model, the recipe and the data do not go together.
        InputError: one of them cannot be read.
        OutputError: the folder cannot be used.

    Example:
        >>> tuned = squeeze("models/lenet_5.keras", "small-download", "fashion-mnist", "small")
        >>> tuned.record.trial(tuned.record.best).candidate.text()
        '96% zeros, 16 values, int8'
    """
    chosen = load_recipe(recipe).resolved(seed)
    if chosen.tune is None:
        return run_recipe(
            model, chosen, data, folder, inputs=[recipe], resume=resume, force=force,
            allow_unsafe=allow_unsafe, on_progress=on_progress,
        )  # fmt: skip
    from tflite_squeeze.search.tune import tune  # Optuna is loaded only where it searches

    return tune(
        model, chosen.tune, data, folder, resume=resume, force=force, allow_unsafe=allow_unsafe,
        on_progress=on_progress,
    )  # fmt: skip
