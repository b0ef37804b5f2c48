"""A `.pt2` file looked through before torch opens it, since torch runs what such a file names.

`torch.export.load` of 2.13 unpickles objects, evaluates the expressions of sizes, compiles names
and guards as Python, takes any function of torch for an operator, and loads native code. None of
that is needed for a network of PyTorch's own operators: here whatever is not known to be harmless
is refused. What is unpickled for tensors is restricted to tensors by the worker, which also drops
the guards.
"""

import ast
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import InputError, reason_of
from tflite_squeeze.files.archives import check_archive, read_json
from tflite_squeeze.files.files import read_file

_MODEL = "models/model.json"
_MEMBERS = re.compile(
    r"models/model\.json|data/(sample_inputs|weights|constants)/model\.pt|byteorder"
    r"|archive_format|archive_version|version|\.data/\w+|\.format_version|\.storage_alignment|extra/.*"
    r"|data/(weights|constants)/(model_(weights|constants)_config\.json|(weight|tensor)_\d+)"
)
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims)\.(?!from_file\b)(?!__)\w+\.(?!__)\w+"
    r"|torch\.ops\.aten\.__(and|or|xor|lshift|rshift)__\.\w+"
    r"|torch\.ops\.higher_order\.wrap_with_(set_grad_enabled|autocast)"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_|not_)"
    r"|torch\.sym_(int|float|max|min|not|sum|ite)|math\.(ceil|floor|trunc)"
)
_NAME = re.compile(r"[\w.\-]*")
_NAMES_OF_OTHERS = {
    "fqn": re.compile(r"[\w.@\-]*"),
    "torch_version": re.compile(r"[\w.+]*"),
}
_SYMBOL = re.compile(r"[a-z]+\d+")
# These take a text as it is; others would evaluate it.
_OF_TEXT = frozenset({"Float", "Integer", "Rational", "Symbol"})
_FUNCTIONS = _OF_TEXT | {
    "Add", "And", "CeilDiv", "CeilToInt", "CleanDiv", "Eq", "Equality", "FloatPow", "FloatTrueDiv",
    "FloorDiv", "FloorToInt", "Ge", "GreaterThan", "Gt", "Identity", "IntTrueDiv", "Le", "LessThan",
    "Lt", "Max", "Min", "Mod", "ModularIndexing", "Mul", "Ne", "Not", "Or", "Pow", "PowByNatural",
    "PythonMod", "RoundToInt", "StrictGreaterThan", "StrictLessThan", "ToFloat", "TruncToFloat",
    "TruncToInt", "Unequality", "Where",
}  # fmt: skip
_MOST_EXPRESSION = 10_000
_CONTAINERS = frozenset({
    None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict",
    "torch.fx.immutable_collections.immutable_list",
    "torch.fx.immutable_collections.immutable_dict",
})  # fmt: skip
# Values of operators' arguments, which are handed over as they are; and what is not read, or
# dropped.
_TEXTS = frozenset({"as_string", "as_strings", "guards_code", "metadata"})


def check_program(path: Path) -> None:
    """Refuses a `.pt2` file that does more than compute, or that is damaged.

    Args:
        path: the file.

    Raises:
        InputError: it is missing, no program of torch.export, or names what may run code.
    """
    content = read_file(path, "model")
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, f"model {path}", len(content))
            members = _members(path, archive)
            model = read_json(archive, members[_MODEL])
            for name in members:
                if name.endswith("_config.json"):
                    _check_payload(path, read_json(archive, members[name]))
    except (zipfile.BadZipFile, zlib.error, AttributeError, LookupError, EOFError, OSError,
            ValueError, RecursionError, NotImplementedError, TypeError) as error:  # fmt: skip
        raise InputError(
            f"model {path} is damaged, or not written by torch.export.save ({reason_of(error)}): "
            f"export it again, by torch 2.8 or later"
        ) from error
    _check_targets(path, model)
    for key, text in _texts(model):
        _check_text(path, key, text)


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, str]:
    """The members by their name behind the archive's own."""
    names = archive.namelist()
    # torch's reader finds names whatever their case.
    if len({name.lower() for name in names}) != len(names):
        raise _refused(path, "holds members of the same name")
    found = {name.partition("/")[2]: name for name in names}
    if len({name.partition("/")[0] for name in names}) != 1 or _MODEL not in found:
        raise ValueError(f"no {_MODEL} in it")
    for name in found:
        if not _MEMBERS.fullmatch(name):
            raise _refused(path, f"holds {name[:80]!r}, which is no part of a plain program")
    return found


def _check_payload(path: Path, config: Any) -> None:
    for name, each in config["config"].items():
        if not re.fullmatch(r"(weight|tensor)_\d+", each["path_name"]):
            raise _refused(path, f"keeps {name[:60]!r} as an object of Python's")


def _check_targets(path: Path, model: Any) -> None:
    """Every operator has to be one of PyTorch's own that computes."""
    unknown = Counter(
        target for target in _values(model, ("target", "as_operator"))
        if not (isinstance(target, str) and _OPERATOR.fullmatch(target))
    )  # fmt: skip
    if unknown:
        told = ", ".join(f"{str(name)[:60]} x {count}" for name, count in unknown.most_common(5))
        raise _refused(path, f"calls what is no operator of PyTorch's own: {told}")
    if any(True for _ in _values(model, ("as_custom_obj",))):
        raise _refused(path, "takes objects of Python's")


def _values(part: Any, keys: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key in keys:
                yield value
            elif key != "metadata":
                yield from _values(value, keys)
    elif isinstance(part, list):
        for value in part:
            yield from _values(value, keys)


def _texts(part: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text with the key that it is under; keys themselves are names."""
    if isinstance(part, dict):
        for name, value in part.items():
            yield "", name
            if name not in _TEXTS:
                yield from _texts(value, name)
    elif isinstance(part, list):
        for value in part:
            yield from _texts(value, key)
    elif isinstance(part, str):
        yield key, part


def _check_text(path: Path, key: str, text: str) -> None:
    if key in ("target", "as_operator"):
        return
    if key in ("in_spec", "out_spec"):
        _check_tree(path, text)
    elif key == "expr_str":
        if not _is_arithmetic(text):
            raise _refused(path, f"computes a size by {text[:80]!r}")
    elif not _NAMES_OF_OTHERS.get(key, _NAME).fullmatch(text):
        raise _refused(path, f"has {text[:80]!r} as a name")


def _is_arithmetic(text: str) -> bool:
    """Whether an expression of a size is made of numbers, symbols and known functions alone."""
    try:
        tree = ast.parse(text.strip(), mode="eval") if len(text) < _MOST_EXPRESSION else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return tree is not None and _computes(tree.body)


def _computes(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=bool() | int() | float()):
            return True
        case ast.Name(id=name):
            return name in ("true", "false", "oo") or _SYMBOL.fullmatch(name) is not None
        case ast.BinOp(left=left, right=right):
            return _computes(left) and _computes(right)
        case ast.UnaryOp(operand=operand):
            return _computes(operand)
        case ast.Compare(left=left, comparators=others):
            return all(map(_computes, [left, *others]))
        case ast.Call(func=ast.Name(id=name), args=given, keywords=more):
            plain = all(isinstance(each.value, ast.Constant) and each.arg for each in more)
            return plain and name in _FUNCTIONS and all(
                _is_text(each) if name in _OF_TEXT and isinstance(each, ast.Constant)
                else _computes(each)
                for each in given
            )  # fmt: skip
        case _:
            return False


def _is_text(node: ast.Constant) -> bool:
    return not isinstance(node.value, str) or re.fullmatch(r"[\w.+\-/]*", node.value) is not None


def _check_tree(path: Path, text: str) -> None:
    """What holds inputs and outputs: plain containers alone."""
    try:
        _, tree = json.loads(text)
        kinds = set(_values(tree, ("type",)))
        contexts = [json.loads(each) for each in _values(tree, ("context",)) if each is not None]
    except (ValueError, TypeError, RecursionError) as error:
        raise _refused(path, f"describes its inputs by {text[:60]!r}") from error
    unknown = kinds - _CONTAINERS
    if unknown:
        raise _refused(path, f"takes or returns {sorted(map(str, unknown))[0][:60]}")
    if any(True for each in contexts for _ in _values(each, ("__enum__",))):
        raise _refused(path, "has objects of Python's as keys")


def _refused(path: Path, what: str) -> InputError:
    return InputError(
        f"model {path} {what}: pass --allow-unsafe (allow_unsafe=True) if you trust the file, or "
        f"export the network to ONNX where you have it"
    )
