"""Messages for unexpected failures of a command: one line for whatever went wrong."""

import codecs
import errno
import os
import re
import sys
from typing import TextIO

from tflite_squeeze.errors import reason_of

_ISSUES = "the project's issue tracker"
# Signs of tables and messages that a terminal of ASCII has something like.
_LIKE = {
    "\u2192": "->", "\u00d7": "x", "\u2026": "...", "\u2013": "-", "\u2014": "-", "\u00b5": "u",
    "\u00b7": ".", "\u2264": "<=", "\u2265": ">=", "\u2019": "'",
}  # fmt: skip
_NO_MEMORY = re.compile("failed to map segment|[Cc]annot allocate memory")  # of native libraries
_HANDLER = "tflite_squeeze_plain"


def unexpected(error: Exception) -> str:
    """The message for an error that is not one of this package's own."""
    first = reason_of(error)
    if isinstance(error, BrokenPipeError):
        return "standard output was closed before everything was printed"
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        remedy = "check the path, its permissions and the free space"
        if error.errno == errno.ENOSPC and not error.filename:
            remedy = "free disk space for the output"
        return f"{error.strerror}{where}: {remedy}"
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        return f"there is not enough memory ({first}): close other programs, or give less data"
    kind = type(error).__name__
    return (
        f"{kind}: {first}; this should not happen: report it to {_ISSUES} with the output of "
        f"tflite-squeeze --verbose"
    )


def use_plain_signs() -> None:
    """Lets standard output and error take any text: what they cannot show, they show otherwise."""
    codecs.register_error(_HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a stream that a test or a notebook put there has none
            reconfigure(errors=_HANDLER)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    signs = [
        _LIKE[sign] if sign in _LIKE else sign.encode("ascii", "backslashreplace").decode()
        for sign in lost
    ]
    return "".join(signs), error.end


def flushed() -> None:
    """Writes out what is printed so far.

    Raises:
        OSError: the disk is full, or the reader has closed the pipe.
    """
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def let_go_of_output() -> None:
    """Sends what is left to print nowhere, so that Python does not fail on it a second time."""
    try:
        flushed()
    except OSError:
        _to_nowhere(sys.stdout)


def _to_nowhere(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
