"""`tflite-squeeze sensitivity`: what pruning costs, layer by layer."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.data_options import data_options, open_data
from tflite_squeeze.command_line.model_options import model_options, open_model
from tflite_squeeze.command_line.option_types import N_OR_ALL
from tflite_squeeze.command_line.output import bar, force_option, say, show
from tflite_squeeze.errors import UsageError


@click.command(
    epilog="Example: tflite-squeeze sensitivity models/lenet_5.keras --data fashion-mnist "
    "-o sensitivity"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True,
    help="Folder for the table, JSON and plot; an interrupted run continues from there.",
)  # fmt: skip
@data_options
@click.option("--samples", default="1000", show_default=True, help="Samples per point.", **N_OR_ALL)
@click.option(
    "--granularity",
    default="element",
    show_default=True,
    help="What is zeroed as a unit, as in prune.",
)
@model_options
@force_option
@click.pass_context
def sensitivity_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Measure accuracy against sparsity, one layer after the other, without training.

    The curves tell which layers can lose most. Prune by them, without measuring them again:
    tflite-squeeze prune MODEL -o OUT --sparsity 0.9 --budget sensitivity --curves FILE.json
    """
    source = open_model(model, options)
    data = open_data(options)
    if data is None or not data.labelled:
        raise UsageError("sensitivity measures accuracy: pass labelled --data")
    from tflite_squeeze.techniques.pruning.sensitivity.sensitivity import sensitivity
    from tflite_squeeze.techniques.pruning.sensitivity.tables import sensitivity_tables

    with bar(ctx, f"Pruning {model} layer by layer") as advance:
        record = sensitivity(
            source,
            data,
            output,
            granularity=options["granularity"],
            samples=options["samples"],
            force=options["force"],
            on_progress=advance,
        )
    show(ctx, sensitivity_tables(record))
    say(ctx, f"{output}: sensitivity.json, sensitivity.md and sensitivity.png")
