"""Types of options that click has not: sizes in bytes, values by pattern, a word or a number."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from tflite_squeeze.errors import UsageError

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?)(?:i?B)?", re.IGNORECASE)


class ByteSize(click.ParamType[int]):
    """A number of bytes, at least one; K, M and G are powers of 1024."""

    name = "SIZE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Reads a size.

        Example:
            >>> ByteSize().convert("256K", None, None)
            262144
        """
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value).strip())
        size = round(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
        if size < 1:
            self.fail(f"{value!r} is no size in bytes, such as 262144, 256K or 1M.", param, ctx)
        return size


class PatternValue(click.ParamType[tuple[str, Any]]):
    """A value for the layers that a pattern matches, such as conv_*=0.5.

    Args:
        value: what the value is called in help, such as FRACTION.
        read: makes it of text, and raises ValueError where it cannot.
        example: of the whole.
    """

    def __init__(self, value: str, read: Callable[[str], Any], example: str) -> None:
        self.name, self.read, self.example = f"PATTERN={value}", read, example

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Reads a pattern and its value.

        Example:
            >>> PatternValue("FRACTION", float, "conv_*=0.5").convert("conv_*=0.5", None, None)
            ('conv_*', 0.5)
        """
        pattern, _, text = value.rpartition("=")
        try:
            read = self.read(text) if pattern else None
        except ValueError:
            read = None
        if read is None:
            raise _refusal(param, value, f"write {self.name}, such as {self.example}")
        return pattern, read


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
        except click.BadParameter as error:
            words = " or ".join(map(repr, self.words))
            raise _refusal(param, value, f"give {_described(self.other)}, or {words}") from error


def _refusal(param: click.Parameter | None, value: object, remedy: str) -> UsageError:
    return UsageError(f"{param.opts[0] if param else 'it'} is {value!r}: {remedy}")


def _described(kind: click.ParamType[Any]) -> str:
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    if high is not None:
        return f"a number between {low} and {high}"
    if isinstance(kind, ByteSize):
        return "a size such as 64K"
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


def pattern_type(schema: Mapping[str, Any]) -> PatternValue:
    """A number by pattern."""
    if schema.get("type") == "integer":
        return PatternValue("NUMBER", int, "conv_*=16")
    return PatternValue("FRACTION", float, "conv_*=0.5")


# Of a number of samples that may be None, for all there are.
N_OR_ALL: dict[str, Any] = {
    "type": WordOr({"all": None}, click.IntRange(min=1)),
    "metavar": "N|all",
}
