"""Refuses a verb's arguments where they stand in each other's places, before it does anything."""

import inspect
import os
import types
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin

from tflite_squeeze.errors import UsageError
from tflite_squeeze.frozen import Frozen

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def checked_arguments(verb: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Has a verb refuse what its parameters of settings and files cannot be, and settings as data.

    Parameters whose annotation has a config or a `Path` take what it names. Of those that take
    anything (`Any`) none takes a config, and `data` takes no Keras model.

    Args:
        verb: a function with annotations.

    Returns:
        A function of the same signature, which raises a `UsageError` for such a call.

    Example:
        >>> prune((x, y), Prune(sparsity=0.5), model)
        Traceback (most recent call last):
        ...
        UsageError: prune was given a Sequential as data: call prune(model, config, data, finetune)
    """
    signature = inspect.signature(verb)
    kinds = {name: _kinds(one.annotation) for name, one in signature.parameters.items()}
    configured = any(issubclass(kind, Frozen) for some in kinds.values() for kind in some)
    anything = {name for name, one in signature.parameters.items() if one.annotation is Any}
    positional = [
        name
        for name, one in signature.parameters.items()
        if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]

    @wraps(verb)
    def checked(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        given = {**dict(zip(positional, args, strict=False)), **kwargs}
        for name, value in given.items():
            wanted = kinds.get(name, ())
            if name in anything:
                swapped = configured and isinstance(value, Frozen)
            else:
                swapped = bool(wanted) and not _is_one_of(value, wanted)
            if swapped or (name == "data" and hasattr(value, "get_weights")):
                takes = " or ".join(kind.__name__ for kind in wanted if kind is not type(None))
                raise UsageError(
                    f"{verb.__name__} was given {_named(value)} as {name}"
                    f"{takes and f', which takes {takes}'}: call {verb.__name__}("
                    f"{', '.join(positional)})"
                )
        return verb(*args, **kwargs)

    return checked


def _kinds(annotation: Any) -> tuple[type, ...]:
    """What a parameter takes, where a config or a path is among it; else nothing is known."""
    union = get_origin(annotation) in (Union, types.UnionType)
    kinds = get_args(annotation) if union else (annotation,)
    if not all(isinstance(kind, type) and get_origin(kind) is None for kind in kinds):
        return ()
    if not any(issubclass(kind, Frozen | Path) for kind in kinds):
        return ()
    return tuple(kinds)


def _is_one_of(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) or (Path in kinds and isinstance(value, os.PathLike))


def _named(value: Any) -> str:
    """A value by its type, after the article."""
    name = type(value).__name__
    return f"an {name}" if name[0].lower() in "aeio" else f"a {name}"
