"""The base of configs and records: immutable, strict, each field described in one place."""

import inspect
import re
import textwrap
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

_SECTION = re.compile(r"^(Reference|References|Raises|Example|Attributes):", re.MULTILINE)

OnlyPatterns = Annotated[
    tuple[str, ...],
    Field(
        description="Patterns of the layers to change, by name or type; by default all that can be "
        "changed."
    ),
]
ProtectPatterns = Annotated[
    tuple[str, ...],
    Field(
        description='Patterns of layers to leave as they are, by name or type; "first" and "last" '
        "are understood too."
    ),
]


class Frozen(BaseModel):
    """A pydantic model that cannot be changed and refuses unknown fields.

    The descriptions of its fields become the "Attributes" section of its docstring, so that
    `help`, the reference, the JSON Schema and the command line all say the same. Infinity
    survives JSON.

    Example:
        >>> class Size(Frozen):
        ...     '''How large it is.'''
        ...
        ...     rows: int = Field(default=1, description="Number of rows.")
        >>> print(Size.__doc__)
        How large it is.
        <BLANKLINE>
        Attributes:
            rows: Number of rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Writes the docstring's list of attributes, where the fields have descriptions."""
        super().__pydantic_init_subclass__(**kwargs)
        lines = [
            textwrap.fill(
                f"{name}: {field.description}",
                width=96,
                initial_indent="    ",
                subsequent_indent="        ",
                break_on_hyphens=False,
            )
            for name, field in cls.model_fields.items()
            if field.description
        ]
        if cls.__doc__ and lines:
            prose, sections = _split(cls.__doc__)
            attributes = "\n".join(["Attributes:", *lines])
            cls.__doc__ = "\n\n".join(filter(None, (prose, attributes, sections)))

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The schema, described by the docstring's prose alone: fields describe themselves."""
        schema = handler(core_schema)
        described = handler.resolve_ref_schema(schema)
        if "description" in described:
            described["description"] = _split(described["description"])[0]
        return schema


def _split(docstring: str) -> tuple[str, str]:
    """The prose of a docstring, and its sections."""
    text = inspect.cleandoc(docstring)
    found = _SECTION.search(text)
    start = found.start() if found else len(text)
    return text[:start].strip(), text[start:]
