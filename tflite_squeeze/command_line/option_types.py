"""Types of options that click lacks: sizes, values by pattern, a word or a number."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from tflite_squeeze.errors import UsageError

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?)(?:i?B)?", re.IGNORECASE)


class Text(click.ParamType[Any]):
    """What a function makes of text.

    Args:
        name: what the text is called in help.
        read: makes a value of it, and raises ValueError where it cannot.
        example: such a text.
    """

    def __init__(self, name: str, read: Callable[[str], Any], example: str) -> None:
        self.name, self.read, self.example = name, read, example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Reads a text.

        Example:
            >>> BYTES.convert("256K", None, None)
            262144
        """
        if not isinstance(value, str):
            return value
        try:
            return self.read(value)
        except ValueError as error:
            raise _refusal(param, value, f"write {self.name}, such as {self.example}") from error


def pattern_type(value: str, read: Callable[[str], Any], example: str) -> Text:
    """A value for the layers that a pattern matches, such as conv_*=0.5.

    Args:
        value: what the value is called in help, such as FRACTION.
        read: makes it of text, and raises ValueError where it cannot.
        example: of pattern and value.
    """

    def pair(text: str) -> tuple[str, Any]:
        pattern, _, rest = text.rpartition("=")
        if not pattern:
            raise ValueError
        return pattern, read(rest)

    return Text(f"PATTERN={value}", pair, example)


class WordOr(click.ParamType[Any]):
    """A word that stands for a value, or anything of another type.

    Args:
        words: value by word.
        other: the type of everything else.
    """

    def __init__(self, words: Mapping[str, Any], other: click.ParamType[Any]) -> None:
        self.words, self.other = words, other
        self.name = "|".join([*words, other.name.split()[0].upper()])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Reads a word, or what is none.

        Example:
            >>> WordOr({"all": None}, click.INT).convert("12", None, None)
            12
        """
        if value in self.words:
            return self.words[value]
        try:
            return self.other.convert(value, param, ctx)
        except (click.BadParameter, UsageError) as error:
            words = " or ".join(map(repr, self.words))
            raise _refusal(param, value, f"give {_described(self.other)}, or {words}") from error


def _refusal(param: click.Parameter | None, value: object, remedy: str) -> UsageError:
    return UsageError(f"{param.opts[0] if param else 'it'} is {value!r}: {remedy}")


def _described(kind: click.ParamType[Any]) -> str:
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    if high is not None:
        return f"a number between {low} and {high}"
    if isinstance(kind, Text):
        return f"{kind.name} such as {kind.example}"
    return "a number" if low is None else f"a number of at least {low}"


def number_type(schema: Mapping[str, Any]) -> click.ParamType[Any]:
    """A number within the limits that its JSON Schema has."""
    whole = schema["type"] == "integer"
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        return click.INT if whole else click.FLOAT
    return (click.IntRange if whole else click.FloatRange)(
        low, high, min_open="exclusiveMinimum" in schema, max_open="exclusiveMaximum" in schema
    )


def _bytes(text: str) -> int:
    """A number of bytes; K, M and G are powers of 1024."""
    found = _SIZE.fullmatch(text.strip())
    size = round(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if size < 1:
        raise ValueError
    return size


def _numbers(text: str) -> float | tuple[float, ...]:
    numbers = tuple(float(part) for part in text.split(","))
    return numbers[0] if len(numbers) == 1 else numbers


def _pixels(text: str) -> tuple[int, ...]:
    height, width = re.split("[xX]", text)
    return int(height), int(width)


BYTES = Text("SIZE", _bytes, "262144, 256K or 1M")
NUMBERS = Text("NUMBER[,NUMBER...]", _numbers, "0.5, or one per channel as in 0.485,0.456,0.406")
PIXELS = Text("HxW", _pixels, "96x96")
# Of a number of samples that may be None, for all there are.
N_OR_ALL: dict[str, Any] = {
    "type": WordOr({"all": None}, click.IntRange(min=1)),
    "metavar": "N|all",
}
