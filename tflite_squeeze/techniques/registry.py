"""The list of all techniques: recipes, commands, claims and the schema are made from it."""

from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module

from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.technique import Technique

# Folders beside this module, in the order of help and schema. Each defines TECHNIQUE.
_PACKAGES = (
    "pruning",
    "l0",
    "entropy",
    "sharing",
    "low_rank",
    "narrowing",
    "distillation",
    "binarization",
    "quantization",
)

_known: dict[str, Technique] = {}
_listeners: list[Callable[[], None]] = []


def techniques() -> tuple[Technique, ...]:
    """Every technique: those of the package, then those that were registered."""
    return tuple(_known.values())


def technique(name: str) -> Technique:
    """The technique of a name.

    Raises:
        UsageError: there is none of that name.

    Example:
        >>> technique("cluster").makes
        ('shared values',)
    """
    if name not in _known:
        raise UsageError(f"there is no technique {name!r}: use one of {', '.join(_known)}")
    return _known[name]


def register(new: Technique) -> ExitStack:
    """Adds a technique from outside the package; recipes and the command line have it at once.

    Args:
        new: the technique.

    Returns:
        What takes it out again: at the end of a `with` block, or by `close()`.

    Raises:
        UsageError: there is a technique of that name.

    Example:
        >>> with register(ROUND):
        ...     squeeze("model.keras", Recipe(steps=[{"round": {"grid": 0.01}}]))
    """
    if new.name in _known:
        raise UsageError(f"there is a technique {new.name!r} already: give yours another name")
    _known[new.name] = new
    undone = ExitStack()
    undone.callback(_remove, new.name)
    _tell()
    return undone


def on_change(listener: Callable[[], None]) -> None:
    """Calls a function now, and whenever a technique is added or taken out."""
    _listeners.append(listener)
    listener()


def _remove(name: str) -> None:
    del _known[name]
    _tell()


def _tell() -> None:
    for listener in _listeners:
        listener()


for _package in _PACKAGES:
    register(import_module(f"tflite_squeeze.techniques.{_package}").TECHNIQUE)
