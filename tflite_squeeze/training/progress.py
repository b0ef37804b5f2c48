"""Telling of work that takes long: the display of a command, a recipe's, or lines of text."""

import sys
import time
from collections.abc import Callable

# (what is done, steps that are done, steps in all)
Working = Callable[[str, int, int], None]

# Work that is done sooner need not be told of; lines follow each other no faster.
QUIET_SECONDS, SECONDS_APART = 2.0, 5.0


def spoken(write: Callable[[str], None]) -> Working:
    """Tells of work in lines, where there is no display: what is new, and then every few seconds.

    Args:
        write: takes a line.

    Returns:
        What is told of each step; nothing is written in the first two seconds.

    Example:
        >>> tell = spoken(print)
        >>> tell("measuring layers", 3, 53)
    """
    begun = time.perf_counter()
    said, told = begun, ""

    def tell(what: str, done: int, of: int) -> None:
        nonlocal said, told
        now = time.perf_counter()
        if now - said < (QUIET_SECONDS if what != told else SECONDS_APART):
            return
        said, told = now, what
        write(f"{what}: {done} of {of}, {now - begun:.0f} s")

    return tell


def printed(verbose: int) -> Working:
    """Lines on standard error for a call from Python, or nothing where it is to be silent."""
    if not verbose:
        return _silent

    def write(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    return spoken(write)


def _silent(_what: str, _done: int, _of: int) -> None:
    """Nobody is told."""
