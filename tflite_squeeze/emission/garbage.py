"""Short collections of garbage, where other code asks for whole ones."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_MOST = 32 << 20
_OF_A_GRAPH = 2 << 20  # bytes that a small model leaves behind beside its weights


class Garbage:
    """Collects everything from time to time, and what is new the other times.

    TensorFlow's converter collects in each conversion. A process that has imported TensorFlow holds
    half a million objects, and to go through them takes a third of the conversion of a small model.

    Args:
        most: bytes of what may wait for a whole collection.

    Example:
        >>> garbage = Garbage()
        >>> with garbage.of(1000):
        ...     converter.convert()
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most, self._waiting = most, 0

    @contextmanager
    def of(self, size: int) -> Iterator[None]:
        """Keeps collections inside to objects that are made inside, unless much is waiting.

        Args:
            size: bytes of the weights that may become garbage.
        """
        self._waiting += size + _OF_A_GRAPH
        if self._waiting > self._most:
            self._waiting = 0
            yield
        elif gc.get_freeze_count():  # whoever has frozen objects shall find them frozen
            yield
        else:
            gc.freeze()
            try:
                yield
            finally:
                gc.unfreeze()
