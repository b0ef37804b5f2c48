"""Options of every command that may train a model on."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tflite_squeeze.errors import UsageError

if TYPE_CHECKING:
    from tflite_squeeze.data.data import Data
    from tflite_squeeze.training.config import FineTune

_Command = TypeVar("_Command", bound=Callable[..., Any])


def training_options(command: _Command) -> _Command:
    """Adds what `plain_training_options` does, and `--teacher` with what belongs to it."""
    options = (
        click.option(
            "--teacher",
            type=click.Choice(["original"]),
            help="Recover by distillation: the model as it was teaches. Needs no labels.",
        ),
        click.option(
            "--temperature", type=click.FloatRange(min=0, min_open=True),
            help="With --teacher: what logits are divided by.  [default: 4]",
        ),
        click.option(
            "--label-weight", type=click.FloatRange(min=0),
            help="With --teacher: weight of the loss on labels.  [default: 1]",
        ),
    )  # fmt: skip
    command = plain_training_options(command)
    for option in reversed(options):
        command = option(command)
    return command


def plain_training_options(command: _Command) -> _Command:
    """Adds `--epochs`, `--learning-rate`, `--batch-size` and `--seed`."""
    options = (
        click.option(
            "--epochs", type=click.IntRange(min=0), help="Passes over the data; 0 trains not."
        ),
        click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True)),
        click.option("--batch-size", type=click.IntRange(min=1)),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True),
    )
    for option in reversed(options):
        command = option(command)
    return command


def trains(data: "Data | None", options: Mapping[str, Any]) -> bool:
    """Whether there is data to train on, and training was not declined with `--epochs 0`.

    With a teacher, data without labels will do.

    Raises:
        UsageError: training was asked for and cannot be.
    """
    taught = options.get("teacher") is not None
    usable = data is not None and (taught or data.labelled)
    if options["epochs"] and not usable:
        raise UsageError(
            "--teacher takes examples and got none: pass --data" if taught else
            "--epochs trains on labels and got none: pass labelled --data"
        )  # fmt: skip
    if options["epochs"] is not None:
        wanted = bool(options["epochs"])
    else:
        wanted = data is not None and usable and (taught or data.train is not None)
    for name in ("learning_rate", "batch_size", "teacher", "temperature", "label_weight"):
        if options.get(name) is not None and not wanted:
            option, kind = name.replace("_", "-"), "" if taught else "labelled "
            raise UsageError(f"--{option} is given but nothing is trained: pass {kind}--data")
    return wanted


def finetune_of(options: Mapping[str, Any]) -> "FineTune":
    """How to train, from the options of a command.

    Raises:
        UsageError: an option has a value that cannot be used.
    """
    from pydantic import ValidationError

    from tflite_squeeze.training.config import FineTune

    given = {
        "epochs": options["epochs"] or None,
        "batch": options["batch_size"],
        "learning_rate": options["learning_rate"],
        "seed": options["seed"],
        "teacher": options.get("teacher"),
        "distill": _distill_of(options),
    }
    try:
        return FineTune(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"--{option} is {first['input']}: {first['msg']}") from error


def _distill_of(options: Mapping[str, Any]) -> dict[str, float] | None:
    """What is learnt from the original, where a command says something about it."""
    names = ("temperature", "label_weight")
    given = {name: options[name] for name in names if options.get(name) is not None}
    if given and options.get("teacher") is None:
        option = next(iter(given)).replace("_", "-")
        raise UsageError(f"--{option} is given without a teacher: pass --teacher original too")
    return given or None
