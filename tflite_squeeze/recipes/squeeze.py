"""Runs a recipe: a Keras model in, a folder with the small file and all the evidence out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tflite_squeeze.data.data import Data, load_data
from tflite_squeeze.errors import UsageError
from tflite_squeeze.files.files import is_file
from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.network import flavors
from tflite_squeeze.network.loading import LoadedModel, load_model, with_layers
from tflite_squeeze.network.save import quietly
from tflite_squeeze.recipes.files import load_recipe
from tflite_squeeze.recipes.folder import RunFolder, RunState, data_sha256, recipe_sha256
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.recipes.run import Progress, Result, Run, written_names


def squeeze(
    model: Any,
    recipe: Any,
    data: Any = None,
    folder: str | Path | None = None,
    *,
    seed: int | None = None,
    resume: bool = False,
    force: bool = False,
    allow_unsafe: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Runs a recipe on a model.

    Args:
        model: a Keras model of either version, a path to one, or a `LoadedModel`.
        recipe: a `Recipe`, a YAML file, or the name of one that ships.
        data: `Data` or anything that `load_data` takes.
        folder: where the models, the file, the report and the plots go; None keeps none of them.
        seed: takes the place of the recipe's.
        resume: go on where an interrupted run of the same recipe, model and data ended. What it
            makes equals, byte for byte, what it would have made uninterrupted.
        force: start again where the folder holds files.
        allow_unsafe: whether Lambda layers may bring Python code out of model files.
        on_progress: called with the progress of the run.

    Returns:
        The model, the file and the report, whether the limits are met or not: see `Result.check`.

    Raises:
        UsageError: the model, the recipe and the data do not go together.
        InputError: one of them cannot be read.
        OutputError: the folder cannot be used.

    Example:
        >>> result = squeeze("models/lenet_5.keras", "small-download", "fashion-mnist", "small")
        >>> result.report.outcome.file.download_bytes
        23441
    """
    chosen = load_recipe(recipe).resolved(seed)
    loaded = None if data is None else load_data(data)
    _refuse(chosen, loaded)
    if folder is None and resume:
        raise UsageError("resume needs the folder of the run that was interrupted: pass folder")
    source = with_layers(load_model(model, allow_unsafe=allow_unsafe))
    samples = None if loaded is None else loaded.fitted_to(flavors.input_specs(source.model))
    with temporary_folder() as scratch, quietly():
        fresh = RunState(
            recipe=recipe_sha256(chosen), model=source.sha256, data=data_sha256(samples)
        )
        where = scratch / "run" if folder is None else Path(folder)
        store = RunFolder(
            where,
            fresh,
            names=written_names(chosen, source.name),
            inputs=_files_read(source, recipe, samples),
            resume=resume,
            force=force,
        )
        run = Run(store, chosen, source, samples, on_progress, allow_unsafe=allow_unsafe)
        result = run.finished()
    return result if folder is not None else replace(result, folder=None)


def _files_read(source: LoadedModel, recipe: Any, data: Data | None) -> list[Path]:
    """The files among what a run was given."""
    given = [source.path, recipe, None if data is None else data.source]
    return [path for each in given if isinstance(each, str | Path) and is_file(path := Path(each))]


def _refuse(recipe: Recipe, data: Data | None) -> None:
    """Refuses what cannot end well, before anything runs."""
    calibrated = [kind.value for kind in recipe.types if kind.calibrates]
    if data is None and calibrated:
        raise UsageError(
            f"recipe {recipe.name} quantizes to {calibrated[0]}, which is "
            f"calibrated on real samples: pass data"
        )
    if recipe.limits.max_drop is not None and (data is None or not data.labelled):
        raise UsageError(
            f"recipe {recipe.name} limits the loss of accuracy: pass labelled data, or "
            f"remove limits.max_drop"
        )
