"""`tflite-squeeze schema`: the JSON Schema of recipes, for editors."""

import json
from pathlib import Path

import click

from tflite_squeeze.command_line.output import force_option
from tflite_squeeze.files.files import write_atomically


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
    from tflite_squeeze.recipes.recipe_schema import recipe_schema

    text = json.dumps(recipe_schema(), indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text.encode(), force=force)
