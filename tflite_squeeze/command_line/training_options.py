"""Options of every command that may train a model."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tflite_squeeze.command_line.config_options import config_of, config_options, given
from tflite_squeeze.errors import UsageError

if TYPE_CHECKING:
    from tflite_squeeze.data.data import Data
    from tflite_squeeze.training.config import FineTune

DISTILL = "tflite_squeeze.training.config:Distill"
_FINETUNE = "tflite_squeeze.training.config:FineTune"
_TAUGHT = ("temperature", "label_weight")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def training_options(command: _Command) -> _Command:
    """Adds what `plain_training_options` does, and `--teacher` with what belongs to it."""
    command = plain_training_options(command)
    about_teacher = config_options(DISTILL, *_TAUGHT, when="With --teacher")
    return config_options(_FINETUNE, "teacher")(about_teacher(command))


def plain_training_options(command: _Command) -> _Command:
    """Adds `--epochs`, `--steps`, `--learning-rate`, `--batch-size`, `--seed` and `--augment`."""
    command = config_options(
        _FINETUNE, "steps", "learning_rate", "batch", "seed", "augment",
        batch={"names": ["--batch-size", "batch_size"]},
        augment={"names": ["--augment"], "multiple": False, "default": None, "metavar": "KINDS"},
    )(command)  # fmt: skip
    return click.option(
        "--epochs",
        type=click.IntRange(min=0),
        help="Passes over the training data; 0 does not train. By default as many as the data and "
        "the technique need, where there are labels.",
    )(command)


def trains(data: "Data | None", options: Mapping[str, Any]) -> bool:
    """Whether there is data to train on, and training was not declined with `--epochs 0`.

    With a teacher, data without labels will do.

    Raises:
        UsageError: training was asked for and cannot be.
    """
    taught = options.get("teacher") is not None
    usable = data is not None and (taught or data.labelled)
    asked = next((name for name in ("epochs", "steps") if options[name]), None)
    if asked and not usable:
        raise UsageError(
            "--teacher needs examples: pass --data" if taught else
            f"--{asked} needs labels to train on: pass labelled --data"
        )  # fmt: skip
    if options["epochs"] is not None:
        wanted = bool(options["epochs"])
    else:
        wanted = data is not None and usable and (taught or data.train is not None)
    for name in ("steps", "learning_rate", "batch_size", "augment", "teacher", *_TAUGHT):
        if given(name) and not wanted:
            option, kind = name.replace("_", "-"), "" if taught else "labelled "
            raise UsageError(f"--{option} is given but nothing is trained: pass {kind}--data")
    return wanted


def finetune_of(options: Mapping[str, Any]) -> "FineTune":
    """How to train, from the options of a command.

    Raises:
        UsageError: an option has a value that cannot be used.
    """
    from tflite_squeeze.training.config import Distill, FineTune

    taught = [name for name in _TAUGHT if "teacher" in options and given(name)]
    if taught and options["teacher"] is None:
        option = taught[0].replace("_", "-")
        raise UsageError(f"--{option} is given without a teacher: pass --teacher original too")
    distill = config_of(Distill) if taught else None
    return config_of(FineTune, epochs=options["epochs"] or None, distill=distill)
