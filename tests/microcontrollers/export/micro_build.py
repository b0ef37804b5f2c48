"""Compilers for the generated C and C++, around hand-made stand-ins for TFLM's headers."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

STUB = Path(__file__).with_name("tflm_stub")
_STRICT = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-variable", "-Os", "-ffunction-sections",
           "-fdata-sections", f"-I{STUB}"]  # fmt: skip
_C, _CPP = ["-std=c11"], ["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"]
HOST, ARM = "", "arm-none-eabi-"
CORTEX_M = {
    "cortex-m4": ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    "cortex-m33": ["-mcpu=cortex-m33", "-mthumb", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"],
}


def need(prefix: str) -> None:
    """Skips a test where its compiler is missing, and says how to get it."""
    missing = _missing(prefix)
    if missing:
        pytest.skip(f"{missing} not installed: make compilers")


@cache
def _missing(prefix: str) -> str:
    """The compilers that are not there, or the C library; empty where all is."""
    tools = [prefix + tool for tool in ("gcc", "g++", "size")]
    absent = [tool for tool in tools if shutil.which(tool) is None]
    if absent:
        return ", ".join(absent)
    command = [tools[0], "-x", "c", "-E", "-"]
    tried = subprocess.run(command, input=b"#include <string.h>", capture_output=True, check=False)
    return "" if tried.returncode == 0 else f"the C library of {tools[0]}"


def call(*command: object) -> str:
    """Runs a command and returns what it printed; what it complains of fails the test."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compiled(folder: Path, *, prefix: str = HOST, options: tuple[str, ...] = ()) -> list[Path]:
    """Compiles every C and C++ source of a folder to object code."""
    objects = []
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".c", ".cc", ".cpp", ".ino"):
            continue
        is_c = path.suffix == ".c"
        language = ["-x", "c" if is_c else "c++"]
        target = folder / f"{path.name}.o"
        call(f"{prefix}{'gcc' if is_c else 'g++'}", *_STRICT, *(_C if is_c else _CPP), *options,
             f"-I{folder}", *language, "-c", path, "-o", target)  # fmt: skip
        objects.append(target)
    return objects


def section_sizes(path: Path, prefix: str = ARM) -> dict[str, int]:
    """Bytes by section of an object file, as `size -A` tells them."""
    lines = [line.split() for line in call(f"{prefix}size", "-A", path).splitlines()]
    return {words[0]: int(words[1]) for words in lines if len(words) == 3 and words[0][0] == "."}
