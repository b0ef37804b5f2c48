"""What a config's fields are, as JSON Schema, without importing the config where it is ours.

`config_fields.json` is written by `tools/option_tables.py`: importing pydantic takes longer than
everything else that `--help` does.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

FIELDS_FILE = Path(__file__).with_name("config_fields.json")
# The configs of the commands that have been loaded.
ASKED_FOR: set[str] = set()
_KEPT = (
    "description", "default", "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum",
)  # fmt: skip


def fields_of(config: str) -> dict[str, Any]:
    """The JSON Schema of each field of a config, without references.

    Args:
        config: the config as "module:Class"; one that is not in `FIELDS_FILE` is imported.
    """
    ASKED_FOR.add(config)
    return _written().get(config) or described_fields(config)


@cache
def _written() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FIELDS_FILE.read_bytes())
    return content


def described_fields(config: str) -> dict[str, Any]:
    """The same from the config itself."""
    module, _, name = config.partition(":")
    schema = getattr(import_module(module), name).model_json_schema()
    kinds = schema.get("$defs", {})
    return {field: _flat(part, kinds) for field, part in schema["properties"].items()}


def _flat(part: dict[str, Any], kinds: dict[str, Any]) -> dict[str, Any]:
    """What options need of a schema."""
    if "$ref" in part:
        part = {**kinds[part["$ref"].rpartition("/")[2]], **part}
    found = {key: part[key] for key in _KEPT if key in part}
    for key in ("items", "additionalProperties"):
        if isinstance(part.get(key), dict):
            found[key] = _flat(part[key], kinds)
    if "anyOf" in part:
        found["anyOf"] = [_flat(one, kinds) for one in part["anyOf"]]
    return found


def ways_of(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The kinds of values that a schema allows besides null."""
    return [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]


def words_of(schema: Mapping[str, Any]) -> list[str]:
    """The words that a schema allows."""
    return [
        word
        for one in ways_of(schema)
        for word in one.get("enum", [one["const"]] if "const" in one else [])
    ]


def choices_of(config: str, field: str) -> list[str]:
    """The words that a field of a config may be, or each of its values where it has many."""
    schema = fields_of(config)[field]
    return words_of(schema.get("items", schema))
