"""`tflite-squeeze squeeze`: a Keras model in, by a recipe or a search, a folder out."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.config_options import config_options, given
from tflite_squeeze.command_line.data_options import data_options, open_data
from tflite_squeeze.command_line.model_options import model_options, open_layers
from tflite_squeeze.command_line.output import (
    check_json,
    force_option,
    json_option,
    resume_option,
    say,
    show,
    stop_if_interrupted,
    write_json,
)
from tflite_squeeze.errors import UsageError
from tflite_squeeze.files.files import write_atomically
from tflite_squeeze.search.command import TUNE, asked_for, searched, searched_data, seconds_option

if TYPE_CHECKING:
    from tflite_squeeze.recipes.recipe import Recipe
    from tflite_squeeze.recipes.run import Progress


@click.command(
    epilog="Example: tflite-squeeze squeeze models/lenet_5.keras --data fashion-mnist -o small"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--recipe",
    metavar="FILE|NAME",
    help="A YAML file, or the name of a recipe that ships with the package; without it, the best "
    "file is searched for, as by tune.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The folder to write; by default the model's name with -squeezed.",
)
@config_options(TUNE, "minimize", "max_drop", when="Of a search")
@seconds_option(when="Of a search")
@config_options(TUNE, "trials", when="Of a search")
@data_options
@click.option("--seed", type=click.IntRange(min=0), help="Seed to use instead of the recipe's own.")
@resume_option("run")
@model_options
@json_option
@click.pass_context
def squeeze_command(
    ctx: click.Context, /, model: Path, output: Path | None, **options: Any
) -> None:
    """Make a model small and fast: by the steps of a recipe, or by a search for the best file.

    Without a recipe, and by the recipes that ship, the search is that of tune, which has more
    options, and the folder gets best.tflite. By a recipe with steps, the folder gets the model
    after each step, the .tflite and the recipe with every setting written out. Both write
    report.html, report.md and report.json. Exits 1 when a limit, a check or a claim is not met, or
    a step that does not pay stops the run; the report says why.
    """
    from tflite_squeeze.recipes.files import load_recipe

    recipe = load_recipe(options["recipe"]).resolved(options["seed"])
    if options["input_shape"]:
        remedy = "is given in the recipe here: convert.input_shapes"
        if recipe.tune is not None:
            remedy = "is not taken here: give the model's inputs full shapes"
        raise UsageError(f"--input-shape {remedy}")
    check_json(options["json_target"], force=options["force"], inputs=[model])
    folder = output or Path(f"{model.stem}-squeezed")
    if recipe.tune is None:
        _refuse_search_options(recipe.name)
        _run(ctx, recipe, model, folder, options)
        return
    asked = asked_for(options, recipe.tune)
    data = searched_data(options)
    source = open_layers(model, options, or_file=True)
    if not ctx.obj["quiet"]:
        best = folder / "best.tflite"
        click.echo(f"{recipe.name}: {asked.text()} at most; best so far: {best}", err=True)
    searched(ctx, asked, source, data, folder, options)


def _refuse_search_options(recipe: str) -> None:
    """Refuses options of a search beside steps whose numbers are given."""
    names = {"minimize": "--minimize", "max_drop": "--max-drop", "seconds": "--time",
             "trials": "--trials"}  # fmt: skip
    for name, option in names.items():
        if given(name):
            raise UsageError(
                f"{option} is of a search, and recipe {recipe} has steps with given numbers: leave "
                f"it out, or set limits in the recipe"
            )


def _run(
    ctx: click.Context, recipe: "Recipe", model: Path, output: Path, options: Mapping[str, Any]
) -> None:
    """Runs the steps of a recipe and shows what came of it."""
    source = open_layers(model, options, or_file=True)
    from tflite_squeeze.recipes.run_recipe import run_recipe
    from tflite_squeeze.recipes.tables import squeeze_tables

    with shown_progress(ctx) as told:
        result = run_recipe(
            source,
            recipe,
            open_data(options),
            output,
            inputs=[options["recipe"]],
            resume=options["resume"],
            force=options["force"],
            allow_unsafe=options["allow_unsafe"],
            on_progress=told,
        )
    show(ctx, squeeze_tables(result.report))
    write_json(options["json_target"], result.report, force=options["force"])
    result.check()
    say(ctx, f"{output}: {source.name}.tflite meets the recipe; see report.html")


@contextmanager
def shown_progress(ctx: click.Context) -> Iterator["Callable[[Progress], None] | None"]:
    """Shows how far the run is: a bar for its parts and one for the epochs of a training.

    Where standard error is not a terminal, --verbose prints a line when a part begins.
    """
    if ctx.obj["quiet"] or not sys.stderr.isatty():
        yield _line_teller() if ctx.obj["verbose"] else None
        stop_if_interrupted()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    # A copy of standard error, since conversions turn descriptors 1 and 2 aside while they run.
    with os.fdopen(os.dup(2), "w") as screen:
        console = Console(file=screen, force_terminal=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                   TimeElapsedColumn())  # fmt: skip
        with Bars(*columns, console=console, transient=True) as bars:
            run = bars.add_task("run", total=None)
            training = bars.add_task("epochs", total=None, visible=False)

            def told(progress: "Progress") -> None:
                bars.update(run, completed=progress.done, total=progress.parts,
                            description=_described(progress))  # fmt: skip
                bars.update(training, completed=progress.epoch, total=progress.epochs,
                            visible=progress.epochs > 0)  # fmt: skip

            yield told
    stop_if_interrupted()


def _described(progress: "Progress") -> str:
    steps = progress.parts - 2
    inside = 1 <= progress.done <= steps
    return f"step {progress.done} of {steps}: {progress.what}" if inside else progress.what


def _line_teller() -> "Callable[[Progress], None]":
    """Says on standard error when a part begins."""
    said: list[str] = []

    def told(progress: "Progress") -> None:
        line = _described(progress)
        if line not in said:
            said.append(line)
            click.echo(line, err=True)

    return told


@click.command(epilog="Example: tflite-squeeze schema -o recipe.schema.json")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write; printed without it."
)
@force_option
def schema_command(output: Path | None, force: bool) -> None:
    """Print the JSON Schema of recipes, by which editors complete and check them.

    In the first line of a recipe, "# yaml-language-server: $schema=recipe.schema.json" tells most
    editors where it is.
    """
    from tflite_squeeze.recipes.files import recipe_schema

    text = json.dumps(recipe_schema(), indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text.encode(), force=force)
