"""The command that makes a passing file of what fails its check in int8."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tflite_squeeze.verification.limits import Verify, tolerance_of
from tflite_squeeze.verification.record import VerifyRecord

_REPEATED = ("keep_float",)
_PREPROCESSING = ("scale", "mean", "std", "layout", "image_size", "color", "add_channel")


def mixed_command(
    check: VerifyRecord,
    model: str | Path | None,
    output: str | Path,
    settings: Mapping[str, Any] | None = None,
) -> str:
    """The command that finds the layers which have to stay in float, to be pasted into a shell.

    Args:
        check: that failed; says on which data and by which limits.
        model: its path; None where it has none.
        output: the file to write.
        settings: what differs from the defaults of a conversion, by field.

    Example:
        >>> mixed_command(check, "lenet_5.keras", "lenet_5.tflite")
        'tflite-squeeze convert lenet_5.keras -o lenet_5.tflite --quantize mixed --data a.npz'
    """
    limits, usual = check.tolerance, tolerance_of(Verify(), check.quantization)
    parts = ["tflite-squeeze", "convert", str(model or "MODEL"), "-o", str(output)]
    parts += ["--quantize", "mixed", "--data", str(check.data.get("source") or "DATA")]
    stated = check.data.get("preprocessing") or {}
    for name, value in {
        **{name: stated[name] for name in _PREPROCESSING if name in stated},
        **(settings or {}),
    }.items():
        parts += _option(name, value)
    if limits.strict:
        parts += ["--max-drop", f"{limits.max_drop:g}"]
    if limits.min_sqnr_db != usual.min_sqnr_db:
        parts += ["--min-sqnr-db", f"{limits.min_sqnr_db:g}"]
    return shlex.join(parts)


def _option(name: str, value: Any) -> Iterator[str]:
    """A setting as the command line takes it."""
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        yield option if value else f"--no-{option[2:]}"
    elif name in _REPEATED:
        for one in value:
            yield from (option, str(one))
    elif isinstance(value, list | tuple):
        yield from (option, ("x" if name == "image_size" else ",").join(map(str, value)))
    else:
        yield from (option, str(value))
