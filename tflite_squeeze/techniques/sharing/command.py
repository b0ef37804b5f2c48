"""`tflite-squeeze cluster`: a Keras model in, the same model with shared values out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.compressing import check_targets, compressed, keep
from tflite_squeeze.command_line.data_options import data_options
from tflite_squeeze.command_line.model_options import model_options, open_layers, read_layers
from tflite_squeeze.command_line.output import force_option, json_option, say
from tflite_squeeze.command_line.training_options import finetune_of, training_options
from tflite_squeeze.errors import CheckFailed

if TYPE_CHECKING:
    from tflite_squeeze.techniques.sharing.config import Cluster

_INITS = ("optimal", "linear", "random", "density", "kmeans++")


@click.command(
    epilog="Example: tflite-squeeze cluster models/lenet_300_100.keras -o shared.keras "
    "--data fashion-mnist --clusters 16 --epochs 3"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The model to write."
)
@data_options
@click.option("--clusters", type=int, help="Values that the weights of a kernel share.")
@click.option("--bits", type=int, help="Instead: 2^BITS values.")
@click.option("--error", type=float, help="Instead: as few as ‖w - shared‖ / ‖w‖ allows.")
@click.option(
    "--max-drop", type=float, help="Instead: as few as this fraction of accuracy allows, measured."
)
@click.option(
    "--init", type=click.Choice(_INITS), default="optimal", show_default=True,
    help="How values are found: the optimum, or Lloyd's iteration from there.",
)  # fmt: skip
@click.option(
    "--per", type=click.Choice(("tensor", "channel")), default="tensor", show_default=True,
    help="What has values of its own.",
)  # fmt: skip
@click.option(
    "--layer", "layers", multiple=True, metavar="PATTERN=VALUES",
    help="Values of the layers of that name or type; may be repeated.",
)  # fmt: skip
@click.option("--only", multiple=True, metavar="PATTERN", help="Share in these layers only.")
@click.option(
    "--protect", multiple=True, metavar="PATTERN", help="Leave these out; first and last too."
)
@click.option(
    "--reassign", type=int, metavar="STEPS", help="Assign weights to values anew that often."
)
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
    config, training = _config(options), finetune_of(options)
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


def _config(options: dict[str, Any]) -> "Cluster":
    from tflite_squeeze.command_line.compressing import config_of
    from tflite_squeeze.techniques.sharing.config import Cluster

    names = ("clusters", "bits", "error", "max_drop", "init", "per", "only", "protect",
             "reassign", "seed")  # fmt: skip
    layers = read_layers(options["layers"], int, "PATTERN=VALUES, such as conv_*=32")
    return config_of(Cluster, layers=layers, **{name: options[name] for name in names})
