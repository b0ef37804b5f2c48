"""The option of every command that takes a quantization plan."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tflite_squeeze.command_line.config_options import help_of

if TYPE_CHECKING:
    from tflite_squeeze.network.quantization.plan import QuantizationPlan

Command = TypeVar("Command", bound=Callable[..., Any])


def plan_option(config: str) -> Callable[[Command], Command]:
    """The option `--plan`, which is `plan_file` among a command's arguments.

    Args:
        config: whose `plan` it is, as `config_options` takes it.
    """
    return click.option(
        "--plan",
        "plan_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help=f"YAML or JSON, as inspect --plan writes it. {help_of(config, 'plan')}",
    )


def open_plan(options: Mapping[str, Any]) -> "QuantizationPlan | None":
    """The plan that a command was given; None for none.

    Args:
        options: of the command.
    """
    if options["plan_file"] is None:
        return None
    from tflite_squeeze.network.quantization.plan_files import load_plan

    return load_plan(options["plan_file"])
