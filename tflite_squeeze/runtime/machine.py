"""The machine that a measurement was taken on, without which times mean nothing."""

import os
import platform
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.version import __version__


class Machine(Frozen):
    """The machine and the software that measured.

    Attributes:
        cpu: the processor's model.
        cores: logical cores that this process may use.
        system: operating system and its version.
        python: version of Python.
        litert: version of ai-edge-litert.
        tflite_squeeze: version of this package.
    """

    cpu: str
    cores: int
    system: str
    python: str
    litert: str
    tflite_squeeze: str

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What a page says of it: (label, text)."""
        return (
            ("processor", self.cpu),
            ("cores", f"{self.cores:,}"),
            ("system", self.system),
            ("Python", self.python),
            ("LiteRT", self.litert),
            ("tflite_squeeze", self.tflite_squeeze),
        )


def this_machine() -> Machine:
    """Describes the machine that this runs on.

    Example:
        >>> this_machine().cores
        8
    """
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        litert=_version("ai-edge-litert"),
        tflite_squeeze=__version__,
    )


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    # x86 says "model name"; many Arm boards say "Hardware" or nothing.
    found = re.search(r"^(?:model name|Hardware|Processor)\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def exceeded(checks: Iterable[tuple[str, int, int | None]]) -> tuple[str, ...]:
    """The budgets that are exceeded, one line each.

    Args:
        checks: subject ("the arena takes"), bytes used, and the budget; None for no limit.

    Example:
        >>> exceeded([("the arena takes", 2048, 1024), ("the file takes", 9, None)])
        ('the arena takes 2,048 bytes, the budget is 1,024',)
    """
    return tuple(
        f"{what} {used:,} bytes, the budget is {most:,}"
        for what, used, most in checks
        if most is not None and used > most
    )
