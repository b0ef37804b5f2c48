from pathlib import Path
from typing import Any

import click

from tests.techniques.rounding.config import Round
from tflite_squeeze.command_line.compressing import check_targets, keep
from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.model_options import model_options, open_layers
from tflite_squeeze.command_line.output import force_option, json_option


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@config_options("tests.techniques.rounding.config:Round", "step", "only")
@model_options
@force_option
@json_option
@click.pass_context
def round_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Round weights to multiples of a step."""
    from tests.techniques.rounding.rounding import round_weights

    check_targets(output, options, [model])
    rounded, record = round_weights(open_layers(model, options).model, config_of(Round))
    keep(ctx, rounded, output, record, record.tables(), options)
