"""What the converter prints from C++ and Python, caught so that only what matters is passed on."""

import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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
        """The lines that say something about the user's model, each once."""
        return list(dict.fromkeys(line for line in self.lines if _WORTH_TELLING.search(line)))


@contextmanager
def caught_chatter(into: Chatter | None = None) -> Iterator[Chatter]:
    """Catches all that the process prints, from Python and from C++, inside the block.

    The converter's native code writes to file descriptors 1 and 2 directly, so these are what is
    turned aside; both are put back whatever happens.

    Args:
        into: where the lines are added; a new `Chatter` when None.
    """
    chatter = Chatter() if into is None else into
    with tempfile.TemporaryFile() as sink, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.stdout.flush()
        sys.stderr.flush()
        saved = {number: os.dup(number) for number in (1, 2)}
        try:
            for number in saved:
                os.dup2(sink.fileno(), number)
            yield chatter
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in saved.items():
                os.dup2(copy, number)
                os.close(copy)
            sink.seek(0)
            chatter.lines += sink.read().decode(errors="replace").splitlines()
