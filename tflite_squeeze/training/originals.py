"""Which model a teacher="original" means: the one before a step, or before a whole run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tflite_squeeze.network.variables import callback_class

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


Told = Callable[[int, int], None]


_TOLD: ContextVar[Told | None] = ContextVar("told", default=None)


@contextmanager
def watched(told: Told | None) -> Iterator[None]:
    """Tells of every epoch that is trained within the block.

    Args:
        told: called with how many epochs of how many are done; None for nobody.

    Example:
        >>> with watched(lambda done, of: print(f"{done} of {of}")):
        ...     prune(model, Prune(sparsity=0.9), "mnist")
    """
    token = _TOLD.set(told)
    try:
        yield
    finally:
        _TOLD.reset(token)


def watching(epochs: int) -> list[Any]:
    """The callbacks that a training of so many epochs needs, so that who watches is told."""
    told = _TOLD.get()
    return [] if told is None else [_Teller(told, epochs)]


class _Teller(callback_class()):  # type: ignore[misc]
    """Tells of the epochs of one training."""

    def __init__(self, told: Told, epochs: int) -> None:
        super().__init__()
        self._told, self._epochs = told, epochs

    def on_train_begin(self, logs: Any = None) -> None:
        """Tells that none is done yet."""
        self._told(0, self._epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Tells that one more is done."""
        self._told(epoch + 1, self._epochs)
