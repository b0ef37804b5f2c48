"""Catches what the converter prints from C++ and Python, so that only what matters is shown."""

import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import IO, TextIO

from tflite_squeeze.files.temporary import no_room

# What a user can act on; the rest is progress talk, captures, deprecations of the converter's own.
_WORTH_TELLING = re.compile(
    r"custom ops|flex ops|not quantiz|cannot be quantized|statistics for|fallback|unsupported",
    re.IGNORECASE,
)


@dataclass
class Chatter:
    """All that was printed inside `caught_chatter`, as lines."""

    lines: list[str] = field(default_factory=list)

    def worth_telling(self) -> list[str]:
        """The lines that concern the user's model, each once."""
        return list(dict.fromkeys(line for line in self.lines if _WORTH_TELLING.search(line)))


@contextmanager
def caught_chatter(into: Chatter | None = None) -> Iterator[Chatter]:
    """Catches all that the process prints, from Python and from C++, inside the block.

    The converter's native code writes to file descriptors 1 and 2 directly, so these are
    redirected; and so are Python's streams, which in a notebook lead elsewhere. All are restored
    in every case.

    Args:
        into: where the lines are added; a new `Chatter` when None.
    """
    chatter = Chatter() if into is None else into
    with _sink() as sink:
        try:
            with warnings.catch_warnings(), _turned_aside(sink.fileno()):
                warnings.simplefilter("ignore")
                yield chatter
        finally:
            sink.seek(0)
            chatter.lines += sink.read().decode(errors="replace").splitlines()


def _sink() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise no_room(error) from error


@contextmanager
def _turned_aside(sink: int) -> Iterator[None]:
    """Sends everything that is printed to a file descriptor."""
    _flush(sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    with ExitStack() as undo:
        for number in (1, 2):
            saved = os.dup(number)
            undo.callback(os.close, saved)
            undo.callback(os.dup2, saved, number)
            os.dup2(sink, number)
        stream = undo.enter_context(
            os.fdopen(os.dup(sink), "w", encoding="utf-8", errors="replace", buffering=1)
        )
        undo.callback(_let_go, stream)
        undo.enter_context(redirect_stdout(stream))
        undo.enter_context(redirect_stderr(stream))
        _turn_loggers_aside(stream, undo)
        # What the program's own streams still hold belongs to the block as well.
        undo.callback(_flush, sys.__stdout__, sys.__stderr__)
        yield


def _turn_loggers_aside(stream: TextIO, undo: ExitStack) -> None:
    """In a notebook TensorFlow's logger holds the cell's own stream, which no redirection moves."""
    for handler in _tensorflow_handlers():
        undo.callback(handler.setStream, handler.stream)
        handler.setStream(stream)


def _let_go(stream: TextIO) -> None:
    """Log handlers that were made in the block would outlive the stream that they hold.

    Root's own are taken out: there were none before. A library's, as TensorFlow's where the block
    imports it, go on with the stream that is in its place again.
    """
    for handler in list(logging.root.handlers):
        if getattr(handler, "stream", None) is stream:
            logging.root.removeHandler(handler)
    for tensorflows in _tensorflow_handlers():
        if tensorflows.stream is stream:
            tensorflows.setStream(sys.stderr)


def _tensorflow_handlers() -> list[logging.StreamHandler[TextIO]]:
    handlers = logging.getLogger("tensorflow").handlers
    return [handler for handler in handlers if isinstance(handler, logging.StreamHandler)]


def _flush(*streams: TextIO | None) -> None:
    for stream in streams:
        if stream is not None:
            stream.flush()
