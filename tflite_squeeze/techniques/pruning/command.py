"""`tflite-squeeze prune`: a Keras model in, the same model with zeros out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.compressing import compress, compressing
from tflite_squeeze.command_line.config_options import config_of, config_options, help_of
from tflite_squeeze.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from tflite_squeeze.network.loading import LoadedModel
    from tflite_squeeze.techniques.pruning.config import Prune
    from tflite_squeeze.techniques.pruning.record import PruneRecord
    from tflite_squeeze.techniques.pruning.sensitivity.record import Curve

PRUNE = "tflite_squeeze.techniques.pruning.config:Prune"
_SCHEDULES = ("constant", "polynomial", "exponential", "one-cycle", "stepwise")


@compressing(
    "prune models/lenet_300_100.keras -o pruned.keras "
    "--data fashion-mnist --sparsity 0.9 --epochs 3",
    config_options(PRUNE, "sparsity", "threshold"),
    click.option(
        "--schedule", type=click.Choice(_SCHEDULES), default="polynomial", show_default=True,
        help=help_of(PRUNE, "schedule"),
    ),
    config_options(
        "tflite_squeeze.techniques.pruning.schedules:Polynomial", "begin", "end", "frequency"
    ),
    config_options(
        PRUNE, "score", "budget", "granularity", "layers", "only", "protect", "grow",
        score={"metavar": "NAME"}, budget={"metavar": "NAME"},
        granularity={"metavar": "element|filter|RxC|N:M"},
    ),
    click.option(
        "--curves", type=click.Path(path_type=Path), metavar="FILE",
        help="For --budget sensitivity: a sensitivity.json of this model, not measured again.",
    ),
)  # fmt: skip
def prune_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Zero the weights that matter least, and train the others around them.

    With labelled data the model is trained while and after the zeros come in; without, or with
    --epochs 0, it is pruned at once. Exits 1 when the sparsity was not reached.
    """
    compress(
        ctx, model, output, options,
        doing="Pruning",
        verb="tflite_squeeze.techniques.pruning.prune:prune",
        in_file="tflite_squeeze.conversion.in_file:in_file",
        config=lambda: _config(options),
        inputs=[] if options["curves"] is None else [options["curves"]],
        keep_prunable=True,
        more=lambda source, config: {"curves": _curves(source, config, options)},
        closing=lambda record: _conclusion(record),
    )  # fmt: skip


def _conclusion(record: "PruneRecord") -> str:
    if not record.reached:
        raise CheckFailed(
            f"it has {record.sparsity:.2%} zeros, not {record.target:.2%}: train for more "
            f"epochs, or protect fewer layers"
        )
    return f"{record.sparsity:.2%} zeros in {len(record.weights)} weights"


def _curves(
    source: "LoadedModel", config: "Prune", options: dict[str, Any]
) -> "dict[str, Curve] | None":
    if options["curves"] is None:
        return None
    if not config.needs_curves:
        raise UsageError(
            f"--curves are for --budget sensitivity, not {config.budget_name}: pass both"
        )
    from tflite_squeeze.techniques.pruning.sensitivity.sensitivity import load_curves

    return load_curves(source, options["curves"], granularity=config.granularity)


def _config(options: dict[str, Any]) -> "Prune":
    from tflite_squeeze.techniques.pruning.config import Prune
    from tflite_squeeze.techniques.pruning.schedules import schedule_of

    ramp = {name: options[name] for name in ("begin", "end", "frequency")}
    return config_of(Prune, schedule=schedule_of(options["schedule"], **ramp), seed=options["seed"])
