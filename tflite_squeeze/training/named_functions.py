"""Functions in a config: by a built-in name, as "package.module:function", or as objects."""

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from tflite_squeeze.errors import UsageError

_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def path_of(given: Any) -> Any:
    """A function as the text by which Python finds it again; text as it is.

    Example:
        >>> path_of(np.linalg.norm)
        'numpy.linalg:norm'
    """
    if not callable(given):
        return given
    return f"{given.__module__}:{getattr(given, '__qualname__', type(given).__qualname__)}"


class Named:
    """Marks a config's field that takes a function, by name or as it is.

    The config is written with the name, or with the function's path. Nothing is imported when a
    config is read, only when the function is needed.

    Args:
        what: the field's name, for messages.
        names: those of our own functions.
        given: names of the parameters that a function may have; None for any.

    Example:
        >>> SCORE = Named("score", SCORES, ("weights", "gradients"))
        >>> Score = Annotated[str | Callable[..., Any], SCORE]
    """

    def __init__(
        self, what: str, names: Collection[str], given: Collection[str] | None = None
    ) -> None:
        self._what, self._names, self._given = what, tuple(names), given

    def function(
        self, value: str | Callable[..., Any], known: Mapping[str, Callable[..., Any]]
    ) -> Callable[..., Any]:
        """The function that a field's value means.

        Args:
            value: of the field.
            known: our own functions by name.

        Raises:
            UsageError: it cannot be imported, or takes what it is not given.
        """
        if not callable(value):
            value = known[value] if value in known else self._imported(value)
        try:
            self.wanted(value)
        except ValueError as error:
            raise UsageError(str(error)) from error
        return value

    def wanted(self, function: Callable[..., Any]) -> tuple[str, ...]:
        """What a function takes of what it may be given, by the names of its parameters.

        Raises:
            ValueError: it has another parameter, without a default.
        """
        if self._given is None:
            return ()
        wanted = []
        for name, parameter in inspect.signature(function).parameters.items():
            if name in self._given:
                wanted.append(name)
            elif parameter.default is parameter.empty and parameter.kind not in (
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            ):
                raise ValueError(
                    f"{self._what} {path_of(function)} takes {name!r}: name its parameters "
                    f"among {', '.join(self._given)}"
                )
        return tuple(wanted)

    def _imported(self, path: str) -> Callable[..., Any]:
        module, _, name = path.partition(":")
        try:
            function: Any = import_module(module)
            for part in name.split("."):
                function = getattr(function, part)
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"{self._what} {path!r} cannot be imported ({error}): name a function that "
                f"Python finds"
            ) from error
        if not callable(function):
            raise UsageError(f"{self._what} {path!r} is not callable: name a function")
        return function  # type: ignore[no-any-return]

    def _checked(self, value: str | Callable[..., Any]) -> str | Callable[..., Any]:
        if callable(value):
            self.wanted(value)
        elif value not in self._names and not _PATH.fullmatch(value):
            raise ValueError(f"give one of {', '.join(self._names)}, or package.module:function")
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """What is accepted, and how it is written."""
        return core_schema.no_info_after_validator_function(
            self._checked,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(path_of),
        )

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The field in a JSON Schema."""
        return {"type": "string", "examples": [*self._names, "package.module:function"]}
