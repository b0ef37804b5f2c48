"""Recipes as YAML: read with the line of everything that is wrong, and written."""

import difflib
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tflite_squeeze.errors import InputError, reason_of
from tflite_squeeze.files.files import read_file
from tflite_squeeze.recipes.recipe import Recipe


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema of a recipe, made from the configs themselves.

    Example:
        >>> recipe_schema()["title"]
        'Recipe'
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Recipe.model_json_schema(),
    }


Path_ = tuple[str | int, ...]
_DEEPEST, _MOST_VALUES, _MOST_BYTES = 12, 10_000, 2**18
_FIRST_LINE: Mapping[Path_, int] = {(): 1}


_SHIPPED = resources.files("tflite_squeeze") / "recipes" / "shipped"


class _Loader(yaml.SafeLoader):
    """YAML whose numbers are those of YAML 1.2 and JSON: 1e-3 is one, and 010 is ten."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in found
        if not tag.endswith((":float", ":int", ":timestamp"))
    ]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?$|^[-+]?[0-9]+[eE][-+]?[0-9]+$"
        r"|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$"
    ),
    list("-+.0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789")
)

_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))


def recipe_names() -> tuple[str, ...]:
    """The recipes that ship with this package."""
    names = (item.name for item in _SHIPPED.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load_recipe(source: str | Path | Recipe) -> Recipe:
    """Reads a recipe and refuses it, with the line, before anything runs.

    Args:
        source: a file, the name of a recipe that ships, or a recipe.

    Returns:
        The recipe.

    Raises:
        InputError: it cannot be read, or something in it cannot be; the message begins with
            FILE:LINE.

    Example:
        >>> load_recipe("small-download").name
        'small-download'
    """
    if isinstance(source, Recipe):
        return source
    path = Path(source)
    if str(source) in recipe_names() and not path.exists():
        text = (_SHIPPED / f"{source}.yaml").read_bytes()
        return parse_recipe(text, f"{source}.yaml")
    if not path.exists() and not path.suffix:
        raise InputError(
            f"recipe {source} is neither a file nor a recipe that ships with the package "
            f"({', '.join(recipe_names())}): check the name"
        )
    return parse_recipe(read_file(path, "recipe", most_bytes=_MOST_BYTES), str(path))


def parse_recipe(content: bytes, file: str) -> Recipe:
    """Reads a recipe from its text.

    Args:
        content: YAML in UTF-8.
        file: what it is called, for messages.

    Raises:
        InputError: as `load_recipe`.
    """
    lines = dict(_FIRST_LINE)
    try:
        node = yaml.compose(content.decode(), Loader=_Loader)
        values = None if node is None else _plain(node, (), lines, file)
    except UnicodeDecodeError as error:
        raise InputError(f"{file}:1: it is not UTF-8 text: save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InputError(f"{file}:{line}: it is not YAML ({error.problem}): fix it") from error
    except RecursionError as error:
        raise InputError(
            f"{file}:1: it is nested too deeply for a recipe: check its brackets"
        ) from error
    except yaml.YAMLError as error:  # characters that YAML does not take
        reason = reason_of(error)
        raise InputError(f"{file}:1: it is not YAML ({reason}): fix it") from error
    if not isinstance(values, dict):
        raise InputError(f"{file}:1: a recipe is a mapping with name and steps: write one")
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise InputError(_explained(error, lines, file)) from error


def dump_recipe(recipe: Recipe) -> str:
    """Writes a recipe as YAML that `load_recipe` reads back as the same.

    Example:
        >>> parse_recipe(dump_recipe(recipe).encode(), "recipe.yaml") == recipe
        True
    """
    values = recipe.model_dump(mode="json")
    # A step names its own technique only.
    values["steps"] = [
        {key: value for key, value in step.items() if value is not None} for step in values["steps"]
    ]
    text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
    return text


def _plain(node: Any, path: Path_, lines: dict[Path_, int], file: str) -> Any:
    """A YAML node as plain values; the line of each goes into `lines`."""
    lines.setdefault(path, node.start_mark.line + 1)
    # References (*name) repeat a node; one in itself, or one that multiplies, has no end.
    if len(path) > _DEEPEST or len(lines) > _MOST_VALUES:
        raise InputError(
            f"{file}:{lines[path]}: it is too large or too deeply nested: check references"
        )
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, index), lines, file) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, value in node.value:
            key = key_node.value
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise InputError(f"{file}:{line}: a key must be a name: write one")
            if key in found:
                raise InputError(f"{file}:{line}: {key!r} occurs twice: keep one of them")
            lines[(*path, key)] = line
            found[key] = _plain(value, (*path, key), lines, file)
        return found
    scalar = _Loader("")
    try:
        return scalar.construct_object(node)
    # What PyYAML raises when a tag is put on something else.
    except (
        ValueError, LookupError, AttributeError, TypeError, OverflowError, yaml.YAMLError,
    ) as error:  # fmt: skip
        raise InputError(
            f"{file}:{lines[path]}: {str(node.value)[:80]!r} cannot be read as {node.tag[:80]}: "
            f"write it plainly"
        ) from error


def _explained(error: ValidationError, lines: Mapping[Path_, int], file: str) -> str:
    """The first thing that is wrong, in one line that begins with where it is."""
    errors = error.errors()
    # Of several ways in which a value could have been right, the one that came furthest says most.
    first = errors[0]
    path = _known(first["loc"], lines)
    same = [one["msg"] for one in errors if _known(one["loc"], lines) == path]
    reason = " or ".join(dict.fromkeys(message.removeprefix("Value error, ") for message in same))
    if first["type"] == "order":
        path = _known(("steps", first["ctx"]["step"]), lines)
    where = ".".join(str(part + 1) if isinstance(part, int) else part for part in path)
    if first["type"] == "extra_forbidden":
        reason = _unknown_key(str(path[-1]), path[:-1])
        where = ".".join(where.split(".")[:-1]) or "the recipe"
    elif isinstance(first["input"], str | int | float | bool):
        reason = f"{first['input']!r}: {reason}"
    start = f"{file}:{lines.get(path, 1)}:"
    return f"{start} {where}: {reason}" if where else f"{start} {reason}"


def _known(location: Path_, lines: Mapping[Path_, int]) -> Path_:
    """The part of an error's location that is in the file, without pydantic's own names."""
    path: Path_ = ()
    for part in location:
        if (*path, part) in lines:
            path = (*path, part)
    return path


def _unknown_key(key: str, path: Path_) -> str:
    known = _keys_at(path)
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(known)}"
    return f"unknown key {key!r}: {hint}"


def _keys_at(path: Path_) -> list[str]:
    """The keys that the schema has at a place."""
    schema = recipe_schema()
    definitions = schema.get("$defs", {})
    nodes = [schema]
    for part in (*path, None):
        nodes = [inner for node in nodes for inner in _alternatives(node, definitions)]
        if part is None:
            break
        following = []
        for node in nodes:
            if isinstance(part, int):
                following.append(node.get("items", {}))
            else:
                following.append(node.get("properties", {}).get(part, {}))
        nodes = following
    return list(dict.fromkeys(key for node in nodes for key in node.get("properties", {})))


def _alternatives(node: dict[str, Any], definitions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A schema node without references and choices."""
    if "$ref" in node:
        return _alternatives(definitions[node["$ref"].rpartition("/")[2]], definitions)
    choices = [*node.get("anyOf", []), *(one for one in node.get("oneOf", []) if "$ref" in one)]
    if choices:
        return [inner for choice in choices for inner in _alternatives(choice, definitions)] + [
            node
        ]
    return [node]
