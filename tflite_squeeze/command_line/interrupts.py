"""Ctrl-C, which stays one whatever the libraries below make of it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_interrupts: ContextVar[list[int] | None] = ContextVar("interrupts", default=None)


@contextmanager
def interruptible() -> Iterator[None]:
    """Lets Ctrl-C end the block as Ctrl-C.

    TensorFlow's native code raises an error of its own (a TypeError without text, among others)
    where the interrupt arrives within it, or drops it: see `stop_if_interrupted`.

    Raises:
        KeyboardInterrupt: the block was interrupted, and ended by any exception.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # ignored, or somebody else's to handle
        yield
        return
    seen: list[int] = []

    def note(number: int, frame: Any) -> None:
        seen.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, note)
    token = _interrupts.set(seen)
    finished = False
    try:
        yield
        finished = True
    finally:
        _interrupts.reset(token)
        signal.signal(signal.SIGINT, before)
        if seen and not finished:
            raise KeyboardInterrupt


def stop_if_interrupted() -> None:
    """Stops before results are shown or written, where a library dropped Ctrl-C on the way.

    Raises:
        KeyboardInterrupt: Ctrl-C arrived since `interruptible` was entered.
    """
    if _interrupts.get():
        raise KeyboardInterrupt
