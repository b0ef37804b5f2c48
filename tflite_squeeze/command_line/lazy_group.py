"""A click group that imports a command's module only when the command is used."""

from collections.abc import Callable, Mapping
from functools import partial
from pkgutil import resolve_name
from typing import Any

import click

from tflite_squeeze.errors import OutputError

# Command → (what imports it, what it does in one line).
Commands = Mapping[str, tuple[Callable[[], click.Command], str]]


def commands_in(modules: Mapping[str, tuple[str, str]]) -> Commands:
    """Commands that are named `<command>_command` in modules of the package.

    Args:
        modules: command → (module in `tflite_squeeze`, what it does in one line).
    """
    return {
        name: (partial(resolve_name, f"tflite_squeeze.{module}:{name}_command"), line)
        for name, (module, line) in modules.items()
    }


class LazyGroup(click.Group):
    """Commands by name, in the order of help.

    Args:
        listed: returns the commands there are now. `--help` imports none of them.
    """

    def __init__(self, *args: Any, listed: Callable[[], Commands], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.listed = listed

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names."""
        return list(self.listed())

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Imports one command; None where there is none of that name."""
        commands = self.listed()
        return commands[name][0]() if name in commands else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands' part of the help, and imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.listed().items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click; for an unknown command the message lists the known ones."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            known = ", ".join(self.listed())
            raise click.UsageError(f"{error.message} Commands: {known}.", ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        """As in click, which would end by itself, with 1, where nobody reads what is printed."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise OutputError("standard output was closed before everything was printed") from error
