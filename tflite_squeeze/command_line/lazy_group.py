"""A click group that imports a command's module only when the command is used."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """Commands by name, in the order of help.

    Args:
        commands_by_name: command → (module in `tflite_squeeze`, what it does). The module
            holds a click command named `<command>_command`. What it does stands here so that
            `--help` imports no command.
    """

    def __init__(
        self, *args: Any, commands_by_name: Mapping[str, tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.commands_by_name = commands_by_name

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names."""
        return list(self.commands_by_name)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Imports one command; None where there is none of that name."""
        if name not in self.commands_by_name:
            return None
        module = import_module(f"tflite_squeeze.{self.commands_by_name[name][0]}")
        command: click.Command = getattr(module, f"{name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands' part of the help, and imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.commands_by_name.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click; an unknown command is told the known ones."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            known = ", ".join(self.commands_by_name)
            raise click.UsageError(f"{error.message} Commands: {known}.", ctx) from error
