"""The shared base of configs and records."""

import math

import pytest
from pydantic import Field, ValidationError

from tflite_squeeze.frozen import Frozen


class _Base(Frozen):
    """A base.

    Example:
        >>> _Base().rows
        1
    """

    rows: int = Field(default=1, description="Number of rows.")


class _Long(_Base):
    """Two columns.

    More about them.

    Reference: nobody 2024, section 3.
    """

    columns: float = Field(default=2.0, description="Columns," + 10 * " in many words")
    undescribed: str = ""


def test_fields_become_the_docstrings_list_of_attributes() -> None:
    assert _Base.__doc__ == (
        "A base.\n\nAttributes:\n    rows: Number of rows.\n\nExample:\n    >>> _Base().rows\n    1"
    )


def test_inherited_fields_and_long_descriptions_are_listed_too() -> None:
    lines = str(_Long.__doc__).splitlines()
    assert lines[:3] == ["Two columns.", "", "More about them."]
    assert lines[4:6] == ["Attributes:", "    rows: Number of rows."]
    assert lines[6].startswith("    columns: Columns, in many words")
    assert lines[7].startswith("        ")
    assert max(map(len, lines)) <= 96
    assert lines[-1] == "Reference: nobody 2024, section 3."
    assert "undescribed" not in str(_Long.__doc__)


def test_the_schema_has_the_prose_and_each_description_once() -> None:
    schema = _Long.model_json_schema()
    assert schema["description"] == "Two columns.\n\nMore about them."
    assert schema["properties"]["rows"]["description"] == "Number of rows."


def test_it_is_frozen_strict_and_keeps_infinity() -> None:
    made = _Long(columns=math.inf)
    with pytest.raises(ValidationError, match="frozen"):
        made.rows = 2  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        _Long.model_validate({"row": 1})
    assert _Long.model_validate_json(made.model_dump_json()) == made
