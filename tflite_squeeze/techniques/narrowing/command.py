"""`tflite-squeeze narrow`: a Keras model in, the same model with fewer filters out."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.compressing import check_targets, compressed, keep
from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.data_options import data_options
from tflite_squeeze.command_line.model_options import model_options, open_layers
from tflite_squeeze.command_line.output import force_option, json_option, say
from tflite_squeeze.command_line.training_options import finetune_of, training_options


@click.command(
    epilog="Example: tflite-squeeze narrow models/lenet_300_100.keras -o narrow.keras "
    "--data fashion-mnist --ratio 0.5 --epochs 3"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The model to write."
)
@data_options
@config_options(
    "tflite_squeeze.techniques.narrowing.config:Narrow",
    "ratio", "layers", "coupled", "multiple", "only", "protect",
)  # fmt: skip
@training_options
@model_options
@force_option
@json_option
@click.pass_context
def narrow_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Remove whole filters and units, so that layers get smaller and faster.

    Layers whose outputs are added keep the same filters. With labelled data the smaller model is
    then trained, unless --epochs is 0. What cannot get narrower is listed with the reason; exits 2
    when nothing can.
    """
    check_targets(output, options, [model])
    from tflite_squeeze.techniques.narrowing.config import Narrow

    config, training = config_of(Narrow), finetune_of(options)
    source = open_layers(model, options)
    from tflite_squeeze.techniques.narrowing.narrow import narrow

    doing = f"Narrowing {model}"
    narrower, record = compressed(ctx, doing, narrow, source.model, config, training, options)
    keep(ctx, narrower, output, record, record.tables(), options)
    say(ctx, f"{output}: {record.parameters_before:,} → {record.parameters_after:,} parameters")
