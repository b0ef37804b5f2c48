"""Runs the steps of a recipe: a Keras model in, a folder with the file and the evidence out."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tflite_squeeze.data.data import Data, load_data
from tflite_squeeze.errors import UsageError
from tflite_squeeze.files.files import is_file
from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.save import quietly
from tflite_squeeze.rebuilding.layers import with_layers_or_file
from tflite_squeeze.recipes.folder import RunFolder, RunState, data_sha256, recipe_sha256
from tflite_squeeze.recipes.form import form_of
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.recipes.run import Progress, Result, Run, written_names


def run_recipe(
    model: Any,
    recipe: Recipe,
    data: Any = None,
    folder: str | Path | None = None,
    *,
    inputs: Iterable[Any] = (),
    resume: bool = False,
    force: bool = False,
    allow_unsafe: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Runs a recipe with steps on a model, as `squeeze` does.

    Args:
        model: a Keras model of either version, a path to one or to a `.tflite` file, or a
            `LoadedModel`.
        recipe: resolved, with steps whose numbers are given.
        data: `Data` or anything that `load_data` takes.
        folder: where everything goes; None keeps none of it.
        inputs: what else is read and must not be written over; names of files count.
        resume: go on where an interrupted run ended.
        force: start again where the folder holds files.
        allow_unsafe: whether Lambda layers may bring Python code out of model files.
        on_progress: called with the progress of the run.

    Raises:
        UsageError: the model, the recipe and the data do not go together.
        InputError: one of them cannot be read.
        OutputError: the folder cannot be used.
    """
    loaded = None if data is None else load_data(data)
    _refuse(recipe, loaded)
    if folder is None and resume:
        raise UsageError("resume needs the folder of the run that was interrupted: pass folder")
    source = with_layers_or_file(load_model(model, allow_unsafe=allow_unsafe))
    form = form_of(source, allow_unsafe=allow_unsafe)
    samples = None if loaded is None else form.fitted(loaded)
    with temporary_folder() as scratch, quietly():
        fresh = RunState(
            recipe=recipe_sha256(recipe), model=source.sha256, data=data_sha256(samples)
        )
        where = scratch / "run" if folder is None else Path(folder)
        store = RunFolder(
            where,
            fresh,
            names=written_names(recipe, source.name, form.suffix),
            inputs=_files_among(source.path, samples and samples.source, *inputs),
            resume=resume,
            force=force,
        )
        run = Run(store, recipe, source, samples, on_progress, allow_unsafe=allow_unsafe)
        result = run.finished()
    return result if folder is not None else replace(result, folder=None)


def _files_among(*given: Any) -> list[Path]:
    """The files among what a run was given."""
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
