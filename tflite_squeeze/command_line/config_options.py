"""Click options from the fields of a config: their names, types, defaults and help.

A command names the config as "module:Class", and imports it when it runs.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from tflite_squeeze.command_line.config_fields import fields_of, ways_of, words_of
from tflite_squeeze.command_line.option_types import WordOr, number_type, pattern_type
from tflite_squeeze.errors import UsageError

if TYPE_CHECKING:
    from tflite_squeeze.frozen import Frozen

    _Config = TypeVar("_Config", bound=Frozen)

_Command = TypeVar("_Command", bound=Callable[..., Any])


class ConfigOption(click.Option):
    """An option that sets a field of a config.

    Args:
        config: the config as "module:Class".
        field: its field.
    """

    def __init__(self, *args: Any, config: str, field: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.config, self.field = config, field


def config_options(
    config: str, /, *fields: str, when: str = "", **changes: Mapping[str, Any]
) -> Callable[[_Command], _Command]:
    """Adds options for fields of a config to a command.

    A number gets a range, a list of words a choice, a switch that is on by default --x/--no-x,
    and what may be repeated its name in the singular.

    Args:
        config: the config as "module:Class".
        fields: those that become options, in the order of help.
        when: an option without which these are without effect, such as "With --teacher".
        changes: by field, arguments of `click.option` in place of those that follow from the
            field, with "names" for its names.

    Returns:
        A decorator.
    """

    def add(command: _Command) -> _Command:
        described = fields_of(config)
        for field in reversed(fields):
            schema, change = described[field], changes.get(field, {})
            said = said_when(when, schema["description"])
            arguments = {"help": said, "default": schema.get("default"), "show_default": True,
                         **_kind(field, schema), **change}  # fmt: skip
            names = arguments.pop("names")
            command = click.option(
                *names, *_destination(field, names), cls=ConfigOption, config=config, field=field,
                **arguments,
            )(command)  # fmt: skip
        return command

    return add


def config_of(kind: "type[_Config]", base: "_Config | None" = None, /, **more: Any) -> "_Config":
    """A config, from those of its options that the running command was given.

    Args:
        kind: its class.
        base: has the values of those that it was not given; the defaults where None.
        more: fields that no option sets directly; None means not given.

    Raises:
        UsageError: a value cannot be used.

    Example:
        >>> config_of(FineTune, epochs=None, batch=64).batch
        64
    """
    ctx = click.get_current_context(silent=True)
    path = f"{kind.__module__}:{kind.__qualname__}"
    options = {
        one.field: one
        for one in (ctx.command.params if ctx else ())
        if isinstance(one, ConfigOption) and one.config == path
    }
    values = {} if base is None else base.model_dump(exclude_unset=True)
    values |= {
        field: ctx.params[str(one.name)]
        for field, one in options.items()
        if ctx and given(str(one.name))
    }
    values |= {field: value for field, value in more.items() if value is not None}
    from pydantic import ValidationError

    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        reason = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise UsageError(reason) from error
        field, value = str(first["loc"][0]), repr(first["input"])
        name = options[field].opts[0] if field in options else field
        said = "" if value in reason else f" is {value}"
        raise UsageError(f"{name}{said}: {reason}") from error


def help_of(config: str, field: str) -> str:
    """The description of a field, for an option of another form."""
    return str(fields_of(config)[field]["description"])


def said_when(when: str, said: str) -> str:
    """A help text that begins with the option without which the one it is of has no effect."""
    return f"{when}, {said[0].lower()}{said[1:]}" if when else said


def given(name: str) -> bool:
    """Whether the running command was given a parameter of that name."""
    source = click.get_current_context().get_parameter_source(name)
    return source not in (None, ParameterSource.DEFAULT)


def _kind(field: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The names and the type of an option."""
    ways, words = ways_of(schema), words_of(schema)
    numbers = [one for one in ways if one.get("type") in ("integer", "number")]
    name, kind = f"--{field.replace('_', '-')}", ways[0].get("type")
    if kind == "boolean" and schema.get("default") is False:
        return {"names": [name], "is_flag": True}
    if kind == "boolean":
        return {"names": [f"{name}/--no-{name[2:]}"]}
    if kind == "array":
        each = words_of(schema.get("items", {}))
        one: dict[str, Any] = {"type": click.Choice(each)} if each else {"metavar": "PATTERN"}
        return {"names": [name.removesuffix("s")], "multiple": True, **one}
    if kind == "object":
        return {"names": [name.removesuffix("s")], "multiple": True, "callback": _as_dict,
                "type": _by_pattern(ways[0]["additionalProperties"])}  # fmt: skip
    if not numbers or all("enum" in one for one in numbers):
        return {"names": [name], "type": click.Choice(words) if words else click.STRING}
    number = number_type(numbers[0])
    if not words:
        return {"names": [name], "type": number}
    metavar = "|".join([number.name.split()[0].upper(), *words])
    return {
        "names": [name],
        "type": WordOr(dict(zip(words, words, strict=True)), number),
        "metavar": metavar,
    }


def _by_pattern(schema: Mapping[str, Any]) -> click.ParamType[Any]:
    if any(one.get("type") == "string" for one in schema.get("anyOf", ())):
        return pattern_type("BITS", _number_or_word, "conv_*=8, conv_*=a16 or conv_*=w4a16")
    if schema.get("type") == "integer":
        return pattern_type("NUMBER", int, "conv_*=8")
    return pattern_type("FRACTION", float, "conv_*=0.5")


def _number_or_word(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def _as_dict(_ctx: click.Context, _parameter: click.Parameter, value: Any) -> dict[str, Any]:
    return dict(value)


def _destination(field: str, names: list[str]) -> list[str]:
    """The parameter's name, where the option's names do not say another."""
    return [] if any(name.isidentifier() for name in names) else [field]
