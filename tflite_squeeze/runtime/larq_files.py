"""Distinguishes files for Larq Compute Engine from all others."""

from typing import Literal

from tflite_squeeze.errors import UsageError
from tflite_squeeze.tflite.flatbuffer import operator_names

RUNTIME = "Larq Compute Engine"


def is_larq_file(tflite: bytes) -> bool:
    """Whether a file has operators that only Larq Compute Engine runs.

    Raises:
        InputError: the file is damaged.
    """
    return any(name.startswith("Lce") for names in operator_names(tflite) for name in names)


def runs_in_larq(tflite: bytes, runtime: Literal["auto", "litert", "larq"]) -> bool:
    """Whether a file is to run in Larq Compute Engine, which runs ordinary files as well.

    Args:
        tflite: the file's content.
        runtime: the requested runtime.

    Raises:
        UsageError: LiteRT was requested, but lacks operators of the file.
    """
    needs = is_larq_file(tflite)
    if runtime == "litert" and needs:
        raise UsageError(
            f"the file has operators of {RUNTIME}, which LiteRT lacks: pass --runtime larq, or "
            f"convert with --runtime litert"
        )
    return needs or runtime == "larq"


def larq_notes(machine: str, *, indirect: bool) -> tuple[str, ...]:
    """What the times of Larq's kernels mean on a machine.

    Args:
        machine: its architecture, such as "x86_64".
        indirect: whether the indirect kernels ran.

    Example:
        >>> larq_notes("aarch64", indirect=True)
        ('Binary convolutions used the indirect kernels.',)
    """
    kernels = "indirect" if indirect else "default (im2col)"
    notes = (f"Binary convolutions used the {kernels} kernels.",)
    if machine in ("aarch64", "arm64"):
        return notes
    return (
        *notes,
        f"On {machine} Larq's binary kernels are portable C++, without vector instructions: their "
        f"targets are 64-bit Arm processors, whose times cannot be derived from these.",
    )
