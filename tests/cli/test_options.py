"""Where the options of commands come from: the fields of configs, and a short list beside them."""

from collections.abc import Iterator

import click
import pytest

from tflite_squeeze.cli import cli
from tflite_squeeze.command_line.config_fields import described_fields
from tflite_squeeze.command_line.config_options import ConfigOption

# Options that set no field of a config, or one of another form; with those of every command.
_EVERY = {"--data", "--features", "--epochs", "--input-shape", "--import", "--allow-unsafe",
          "--force", "--json", "--output"}  # fmt: skip
_BESIDE = {
    "prune": {"--schedule", "--curves"},
    "factorize": {"--measure", "--quantize"},
    "distill": {"--hint", "--attention"},
    "convert": {"--labels", "--no-verify", "--plan"},
    "compare": {"--markdown", "--csv", "--html"},
    "profile": {"--runtime", "--markdown", "--csv", "--plot", "--html", "--node-data"},
    "android": {"--labels"},
    "onnx": {"--plan"},
    "quantize": {"--plan"},
    "tune": {"--limit", "--time", "--resume"},
}
_CHANGING = {
    "prune", "l0", "entropy", "cluster", "factorize", "narrow", "binarize", "distill", "quantize",
}  # fmt: skip
# Commands without a config: what they do has no settings, or those of the recipe.
_WITHOUT = {"inspect", "sensitivity", "squeeze", "schema", "pack", "unpack", "doctor"}


def _commands(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command)
        elif name not in _WITHOUT:
            yield name, command


COMMANDS = dict(_commands(cli))


@pytest.mark.parametrize("name", COMMANDS)
def test_options_come_from_configs(name: str) -> None:
    options = [one for one in COMMANDS[name].params if isinstance(one, click.Option)]
    beside = {one.opts[-1] for one in options if not isinstance(one, ConfigOption)}
    limit = {"--max-drop"} if name in _CHANGING else set()
    assert beside - _EVERY == _BESIDE.get(name, set()) | limit
    for option in options:
        if isinstance(option, ConfigOption):
            field = described_fields(option.config)[option.field]
            # "With --teacher, what logits …", or a sentence more.
            assert field["description"][1:] in str(option.help), option.opts


def test_every_option_says_what_it_does() -> None:
    silent = [
        (name, one.opts)
        for name, command in COMMANDS.items()
        for one in command.params
        if isinstance(one, click.Option) and not one.help
    ]
    assert silent == []


@pytest.mark.parametrize("name", COMMANDS)
def test_no_two_options_are_one_to_the_function(name: str) -> None:
    places = [one.name for one in COMMANDS[name].params]
    assert len(set(places)) == len(places)
