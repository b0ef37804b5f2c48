"""Which model a teacher="original" means: the one before a step, or before a whole run."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_ORIGINAL: ContextVar[Any] = ContextVar("original", default=None)


@contextmanager
def taught_by(original: Any) -> Iterator[None]:
    """Lets a model teach all that is trained with teacher="original" within the block.

    Args:
        original: the Keras model before the first of several steps.

    Example:
        >>> with taught_by(original):
        ...     cluster(pruned, Cluster(clusters=16), data, FineTune(teacher="original"))
    """
    token = _ORIGINAL.set(original)
    try:
        yield
    finally:
        _ORIGINAL.reset(token)


def given_original() -> Any:
    """The model that was given for the block; None outside of any."""
    return _ORIGINAL.get()
