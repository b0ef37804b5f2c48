"""Configs from options of which some were not given."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tflite_squeeze.errors import UsageError

_Config = TypeVar("_Config", bound=BaseModel)


def config_of(kind: type[_Config], **values: Any) -> _Config:
    """A config of a technique.

    Args:
        kind: its class.
        values: its fields; None means not given.

    Raises:
        UsageError: a value cannot be used.

    Example:
        >>> config_of(FineTune, epochs=None, batch=64).batch
        64
    """
    try:
        return kind(**{key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][:1])
        reason = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"{field} is {values.get(field)!r}: {reason}" if field else reason
        ) from error
