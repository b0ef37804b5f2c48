"""`tflite-squeeze prune`: a Keras model in, the same model with zeros out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.cli.data_options import data_options
from tflite_squeeze.cli.model_options import model_options, open_data, open_model
from tflite_squeeze.cli.output import (
    check_json,
    force_option,
    json_option,
    progress,
    say,
    show,
    write_json,
)
from tflite_squeeze.errors import CheckFailed, UsageError
from tflite_squeeze.io.files import check_output

if TYPE_CHECKING:
    from tflite_squeeze.compress.finetune_config import FineTune
    from tflite_squeeze.compress.prune_config import Prune

_SCHEDULES = ("constant", "polynomial", "exponential", "one-cycle", "stepwise")
_MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")


@click.command(
    epilog="Example: tflite-squeeze prune models/lenet_300_100.keras -o pruned.keras "
    "--data fashion-mnist --sparsity 0.9 --epochs 3"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The model to write."
)
@data_options
@click.option("--sparsity", metavar="FRACTION|median", help="Share of weights that end as zero.")
@click.option("--threshold", type=float, help="Instead: zero what is smaller than this.")
@click.option(
    "--schedule", type=click.Choice(_SCHEDULES), default="polynomial", show_default=True,
    help="How sparsity rises while training.",
)  # fmt: skip
@click.option("--begin", type=click.IntRange(min=0), help="Step at which pruning begins.")
@click.option("--end", type=click.IntRange(min=1), help="Step at which the target is reached.")
@click.option("--frequency", type=click.IntRange(min=1), help="Steps between two updates.")
@click.option(
    "--score", type=click.Choice(("magnitude", "taylor", "wanda", "random")), default="magnitude",
    show_default=True, help="What weights are ranked by.",
)  # fmt: skip
@click.option(
    "--budget", type=click.Choice(("uniform", "global", "erk", "sensitivity")), default="uniform",
    show_default=True, help="How sparsity is spread over the layers.",
)  # fmt: skip
@click.option(
    "--granularity", default="element", show_default=True, metavar="element|filter|RxC|N:M",
    help="What is zeroed as one: 1x4 is one output by four inputs, 2:4 keeps two of every four.",
)  # fmt: skip
@click.option(
    "--layer", "layers", multiple=True, metavar="PATTERN=FRACTION",
    help="Sparsity of the layers of that name or type; may be repeated.",
)  # fmt: skip
@click.option("--only", multiple=True, metavar="PATTERN", help="Prune these layers only.")
@click.option(
    "--protect", multiple=True, metavar="PATTERN", help="Leave these out; first and last too."
)
@click.option("--grow", is_flag=True, help="Let zeroed weights return while the schedule runs.")
@click.option("--epochs", type=click.IntRange(min=0), help="Passes over the data; 0 trains not.")
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True))
@click.option("--batch-size", type=click.IntRange(min=1))
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@model_options
@force_option
@json_option
@click.pass_context
def prune_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Zero the weights that matter least, and train the others around them.

    With labelled data the model is trained while and after the zeros come in; without, or with
    --epochs 0, it is pruned at once. Exits 1 when the sparsity was not reached.
    """
    check_output(output, force=options["force"], inputs=[model])
    check_json(options["json_target"], force=options["force"], inputs=[model])
    if output.suffix not in _MODEL_SUFFIXES:
        raise UsageError(f"output {output} must end in .keras or .h5: name it so")
    config, training = _config(options), _finetune(options)
    source = open_model(model, options, keep_prunable=True)
    from tflite_squeeze.compress.prune import prune
    from tflite_squeeze.io.save import save_model
    from tflite_squeeze.io.unwrapping import plain
    from tflite_squeeze.report.prune_tables import prune_tables

    data = open_data(options)
    if options["epochs"] and data is None:
        raise UsageError("--epochs trains on labelled data: pass --data")
    one_shot = options["epochs"] == 0 or data is None or not data.labelled
    with progress(ctx, f"Pruning {model}"):
        pruned, record = prune(
            source.model, config, data, None if one_shot else training, one_shot=one_shot
        )
    save_model(plain(pruned)[0], output, force=options["force"])
    show(ctx, prune_tables(record))
    write_json(options["json_target"], record, force=options["force"])
    if not record.reached and config.threshold is None and not config.layers:
        raise CheckFailed(
            f"{output} has {record.sparsity:.2%} zeros, not {record.target:.2%}: train for more "
            f"epochs, or protect fewer layers"
        )
    say(ctx, f"{output}: {record.sparsity:.2%} zeros in {len(record.weights)} weights")


def _config(options: dict[str, Any]) -> "Prune":
    from tflite_squeeze.compress.prune_config import prune_config
    from tflite_squeeze.compress.schedules import schedule_of

    sparsity = options["sparsity"]
    if sparsity is not None and sparsity != "median":
        try:
            sparsity = float(sparsity)
        except ValueError as error:
            raise UsageError(f"--sparsity is {sparsity!r}: give a fraction such as 0.9") from error
    return prune_config(
        sparsity=sparsity,
        threshold=options["threshold"],
        schedule=schedule_of(
            options["schedule"],
            begin=options["begin"],
            end=options["end"],
            frequency=options["frequency"],
        ),
        score=options["score"],
        budget=options["budget"],
        granularity=options["granularity"],
        layers=_layers(options["layers"]),
        only=options["only"],
        protect=options["protect"],
        grow=options["grow"],
        seed=options["seed"],
    )


def _finetune(options: dict[str, Any]) -> "FineTune":
    from tflite_squeeze.compress.finetune_config import FineTune

    given = {
        "epochs": options["epochs"] or None,
        "batch": options["batch_size"],
        "learning_rate": options["learning_rate"],
        "seed": options["seed"],
    }
    return FineTune(**{name: value for name, value in given.items() if value is not None})


def _layers(texts: tuple[str, ...]) -> dict[str, float]:
    layers = {}
    for text in texts:
        pattern, equals, number = text.rpartition("=")
        try:
            layers[pattern] = float(number)
        except ValueError:
            equals = ""
        if not equals or not pattern:
            raise UsageError(f"--layer is {text!r}: write PATTERN=FRACTION, such as conv_*=0.5")
    return layers
