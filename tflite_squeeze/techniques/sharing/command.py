"""`tflite-squeeze cluster`: a Keras model in, the same model with shared values out."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.compressing import check_targets, compressed, keep
from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.data_options import data_options
from tflite_squeeze.command_line.model_options import model_options, open_layers
from tflite_squeeze.command_line.output import force_option, json_option, say
from tflite_squeeze.command_line.training_options import finetune_of, training_options
from tflite_squeeze.errors import CheckFailed


@click.command(
    epilog="Example: tflite-squeeze cluster models/lenet_300_100.keras -o shared.keras "
    "--data fashion-mnist --clusters 16 --epochs 3"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The model to write."
)
@data_options
@config_options(
    "tflite_squeeze.techniques.sharing.config:Cluster",
    "clusters", "bits", "error", "max_drop", "init", "per", "layers", "only", "protect", "reassign",
    reassign={"metavar": "STEPS"},
)  # fmt: skip
@training_options
@model_options
@force_option
@json_option
@click.pass_context
def cluster_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Let the weights of each kernel share few values, and train those values.

    Zeros of pruned weights stay zeros and are not counted. With labelled data the values are
    trained; without, or with --epochs 0, weights share at once. Exits 1 when a kernel ends with
    more values than were asked for.
    """
    check_targets(output, options, [model])
    from tflite_squeeze.techniques.sharing.config import Cluster

    config, training = config_of(Cluster, seed=options["seed"]), finetune_of(options)
    source = open_layers(model, options)
    from tflite_squeeze.techniques.sharing.cluster import cluster
    from tflite_squeeze.techniques.sharing.tables import cluster_tables

    doing = f"Sharing values in {model}"
    shared, record = compressed(ctx, doing, cluster, source.model, config, training, options)
    keep(ctx, shared, output, record, cluster_tables(record), options)
    if not record.reached:
        names = ", ".join(weight.name for weight in record.weights if not weight.reached)
        raise CheckFailed(
            f"{output} has more values than were asked for, or lost zeros, in {names}: report this"
        )
    most = max(weight.distinct_after for weight in record.weights)
    say(ctx, f"{output}: at most {most} values besides zero in {len(record.weights)} weights")
