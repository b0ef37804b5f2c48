"""Settings that people write as YAML or JSON: read with the line of everything that is wrong."""

import difflib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tflite_squeeze.errors import InputError, reason_of

Settings = TypeVar("Settings", bound=BaseModel)
Path_ = tuple[str | int, ...]
Lines = dict[Path_, int]  # 0 where the line is not known
_DEEPEST = 12


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


def parsed(
    kind: type[Settings],
    content: bytes,
    file: str,
    *,
    what: str,
    holds: str,
    most_values: int,
    opened: Callable[[dict[str, Any]], None] | None = None,
) -> Settings:
    """Reads settings from text, and refuses them with the line.

    Args:
        kind: what they are.
        content: YAML in UTF-8; JSON if the file is named so.
        file: what it is called, for messages.
        what: what people take it for, such as "recipe".
        holds: what is in it at least, such as "a mapping with name and steps".
        most_values: how many values it may have.
        opened: puts what other files hold in the place of their names.

    Raises:
        InputError: it cannot be read, or something in it cannot be; the message begins with
            FILE:LINE.
    """
    lines: Lines = {}
    if file.endswith(".json"):
        values = _json_values(content, file)
        _number(values, (), lines, file, most_values)
    else:
        values = _yaml_values(content, file, what, lines, most_values)
    if not isinstance(values, dict):
        raise InputError(f"{_place(file, lines, ())}: a {what} is {holds}: write one")
    if opened is not None:
        opened(values)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise InputError(_explained(error, kind, lines, file, what)) from error


def _yaml_values(content: bytes, file: str, what: str, lines: Lines, most: int) -> Any:
    lines[()] = 1
    try:
        node = yaml.compose(content.decode(), Loader=_Loader)
        return None if node is None else _plain(node, (), lines, file, most)
    except UnicodeDecodeError as error:
        raise InputError(f"{file}:1: it is not UTF-8 text: save it as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise InputError(f"{file}:{line}: it is not YAML ({error.problem}): fix it") from error
    except RecursionError as error:
        raise InputError(
            f"{file}:1: it is nested too deeply for a {what}: check its brackets"
        ) from error
    except yaml.YAMLError as error:  # characters that YAML does not take
        reason = reason_of(error)
        raise InputError(f"{file}:1: it is not YAML ({reason}): fix it") from error


def _json_values(content: bytes, file: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in found if keys.count(key) > 1)
            raise InputError(f"{file}: {twice!r} occurs twice: keep one of them")
        return found

    try:
        return json.loads(content, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise InputError(f"{file}:{error.lineno}: it is not JSON ({error.msg}): fix it") from error
    except (ValueError, RecursionError) as error:  # no text, endless digits or brackets
        raise InputError(f"{file}: it is not JSON ({reason_of(error)}): fix it") from error


def _number(values: Any, path: Path_, lines: Lines, file: str, most: int) -> None:
    """Enters everything in JSON values into `lines`, on no known line."""
    lines[path] = 0
    _check_extent(path, lines, file, most)
    inner = values.items() if isinstance(values, dict) else ()
    for key, value in enumerate(values) if isinstance(values, list) else inner:
        _number(value, (*path, key), lines, file, most)


def _check_extent(path: Path_, lines: Lines, file: str, most: int) -> None:
    # References (*name) repeat a node; one in itself, or one that multiplies, has no end.
    if len(path) > _DEEPEST or len(lines) > most:
        raise InputError(
            f"{_place(file, lines, path)}: it is too large or too deeply nested: check references"
        )


def _place(file: str, lines: Mapping[Path_, int], path: Path_) -> str:
    line = lines.get(path, 1)
    return f"{file}:{line}" if line else file


def _plain(node: Any, path: Path_, lines: Lines, file: str, most: int) -> Any:
    """A YAML node as plain values; the line of each goes into `lines`."""
    lines.setdefault(path, node.start_mark.line + 1)
    _check_extent(path, lines, file, most)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, at), lines, file, most) for at, item in enumerate(node.value)]
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
            found[key] = _plain(value, (*path, key), lines, file, most)
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


def _explained(
    error: ValidationError, kind: type[BaseModel], lines: Lines, file: str, what: str
) -> str:
    """The first thing that is wrong, in one line that begins with where it is."""
    errors = error.errors()
    # Of several ways in which a value could have been right, the one that came furthest says most.
    first = errors[0]
    path = _known(first["loc"], lines)
    same = [one["msg"] for one in errors if _known(one["loc"], lines) == path]
    reason = " or ".join(dict.fromkeys(message.removeprefix("Value error, ") for message in same))
    if "at" in first.get("ctx", {}):  # what a validator of the whole found in a part
        path = _known(first["ctx"]["at"], lines)
    where = ".".join(str(part + 1) if isinstance(part, int) else part for part in path)
    if first["type"] == "extra_forbidden":
        reason = _unknown_key(str(path[-1]), path[:-1], kind)
        where = where.removesuffix(str(path[-1])).rstrip(".") or f"the {what}"
    elif first["type"] == "model_type":
        given = "nothing" if first["input"] is None else repr(first["input"])
        keys = ", ".join(_keys_at(path, kind))
        reason = f"{given[:80]} stands where fields belong: give some of {keys}"
    elif isinstance(first["input"], str | int | float | bool):
        reason = f"{first['input']!r}: {reason}"
    start = f"{_place(file, lines, path)}:"
    return f"{start} {where}: {reason}" if where else f"{start} {reason}"


def _known(location: Path_, lines: Mapping[Path_, int]) -> Path_:
    """The part of an error's location that is in the file, without pydantic's own names."""
    path: Path_ = ()
    for part in location:
        if (*path, part) in lines:
            path = (*path, part)
    return path


def _unknown_key(key: str, path: Path_, kind: type[BaseModel]) -> str:
    known = _keys_at(path, kind)
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(known)}"
    return f"unknown key {key!r}: {hint}"


def _keys_at(path: Path_, kind: type[BaseModel]) -> list[str]:
    """The keys that the schema has at a place."""
    schema = kind.model_json_schema()
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
                others = node.get("additionalProperties") or {}
                following.append(node.get("properties", {}).get(part, others))
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
