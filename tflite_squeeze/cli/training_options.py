"""Options of every command that may train a model on."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tflite_squeeze.errors import UsageError

if TYPE_CHECKING:
    from tflite_squeeze.compress.finetune_config import FineTune
    from tflite_squeeze.io.data import Data

_Command = TypeVar("_Command", bound=Callable[..., Any])


def training_options(command: _Command) -> _Command:
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

    Raises:
        UsageError: training was asked for and cannot be.
    """
    labelled = data is not None and data.labelled
    if options["epochs"] and not labelled:
        raise UsageError("--epochs trains on labels and got none: pass labelled --data")
    if options["epochs"] is not None:
        wanted = bool(options["epochs"])
    else:
        wanted = data is not None and labelled and data.train is not None
    for name in ("learning_rate", "batch_size"):
        if options[name] is not None and not wanted:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is given but nothing is trained: pass labelled --data")
    return wanted


def finetune_of(options: Mapping[str, Any]) -> "FineTune":
    """How to train, from the options of a command.

    Raises:
        UsageError: an option has a value that cannot be used.
    """
    from pydantic import ValidationError

    from tflite_squeeze.compress.finetune_config import FineTune

    given = {
        "epochs": options["epochs"] or None,
        "batch": options["batch_size"],
        "learning_rate": options["learning_rate"],
        "seed": options["seed"],
    }
    try:
        return FineTune(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"--{option} is {first['input']}: {first['msg']}") from error
