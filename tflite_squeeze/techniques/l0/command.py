"""`tflite-squeeze l0`: a Keras model in, the same model with zeros out that training chose."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.compressing import check_targets, keep
from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.data_options import data_options, open_data
from tflite_squeeze.command_line.model_options import model_options, open_layers
from tflite_squeeze.command_line.output import force_option, json_option, progress, say
from tflite_squeeze.command_line.training_options import finetune_of, training_options, trains
from tflite_squeeze.errors import UsageError


@click.command(
    epilog="Example: tflite-squeeze l0 models/lenet_300_100.keras -o sparse.keras "
    "--data fashion-mnist --lam 10 --epochs 20"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The model to write."
)
@data_options
@config_options(
    "tflite_squeeze.techniques.l0.config:L0",
    "lam", "init_keep", "gate_learning_rate", "warmup", "settle", "temperature", "only", "protect",
    temperature={"names": ["--gate-temperature", "gate_temperature"]},
)  # fmt: skip
@training_options
@model_options
@force_option
@json_option
@click.pass_context
def l0_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Train with a price on every weight, so that those not worth it become zero.

    It is training, for 20 epochs by default: it needs labelled data, or --teacher original. How
    many zeros come out follows from --lam.
    """
    check_targets(output, options, [model])
    if options["epochs"] == 0:
        raise UsageError("--epochs is 0, but L0 regularization is training: give at least 1")
    from tflite_squeeze.techniques.l0.config import DEFAULT_EPOCHS, L0

    config = config_of(L0)
    training = finetune_of({**options, "epochs": options["epochs"] or DEFAULT_EPOCHS})
    source = open_layers(model, options)
    from tflite_squeeze.techniques.l0.l0 import l0_prune

    data = open_data(options)
    if not trains(data, options):
        raise UsageError("L0 regularization is training: pass labelled --data")
    with progress(ctx, f"Training {model} with gates"):
        sparse, record = l0_prune(source.model, config, data, training)
    keep(ctx, sparse, output, record, record.tables(), options)
    hint = "" if record.sparsity else "; raise --lam, or train for more epochs"
    say(ctx, f"{output}: {record.sparsity:.2%} zeros in {len(record.weights)} weights{hint}")
