"""Quantization plans as YAML that people edit: read with the line of what is wrong, and written."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tflite_squeeze.files.files import read_file
from tflite_squeeze.files.settings_text import parsed
from tflite_squeeze.network.quantization.plan import QuantizationPlan

_MOST_VALUES, _MOST_BYTES = 300_000, 2**22
_LONGEST_KEY = 1000  # YAML looks no further for the colon behind a key
_PLAIN_NAME = re.compile(r"^[A-Za-z_][\w./;-]*$", re.ASCII)
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_HEADER = """\
# bits: 8, 4 or 2 of a weight, 8 or 16 of an activation, null for float; axis: of the channels \
that have a scale each; scale: null takes the largest weight; low, high: the range of an \
activation, null to calibrate it on data. What is not listed stays in float.
"""


def load_plan(path: str | Path) -> QuantizationPlan:
    """Reads a plan from a file.

    Args:
        path: YAML, or JSON in a file whose name ends in .json.

    Returns:
        The plan.

    Raises:
        InputError: it cannot be read, or something in it cannot be; the message begins with
            FILE:LINE.

    Example:
        >>> load_plan("plan.yaml").weights["dense/kernel"].bits
        4
    """
    content = read_file(Path(path), "plan", most_bytes=_MOST_BYTES)
    return parsed(
        QuantizationPlan,
        content,
        str(path),
        what="plan",
        holds="a mapping with weights and activations",
        most_values=_MOST_VALUES,
    )


def written_plan(plan: QuantizationPlan) -> str:
    """Writes a plan as YAML that `load_plan` reads back as the same, a line for each tensor.

    Args:
        plan: what to write.

    Example:
        >>> print(written_plan(plan).splitlines()[2])
          dense/kernel: {bits: 4, axis: 0, scale: [0.25, 0.5]}
    """
    lines = [_HEADER]
    for part, entries in (("weights", plan.weights), ("activations", plan.activations)):
        lines.append(f"{part}:\n" if entries else f"{part}: {{}}\n")
        for name, entry in entries.items():
            said = {"bits": entry.bits, **entry.model_dump(exclude_defaults=True)}
            lines.append(_line(name, said))
    return "".join(lines)


def _line(name: str, said: dict[str, Any]) -> str:
    """A tensor's line."""
    key = _key(name)
    start = f"  {key}:" if len(key) < _LONGEST_KEY else f"  ? {key}\n  :"
    fields = ", ".join(f"{field}: {_text(value)}" for field, value in said.items())
    return f"{start} {{{fields}}}\n"


def _key(name: str) -> str:
    if _PLAIN_NAME.match(name) and name.lower() not in _WORDS:
        return name
    quoted: str = yaml.safe_dump(name, default_style='"', width=float("inf"), allow_unicode=True)
    return quoted.strip()


def _text(value: Any) -> str:
    """A number or a list of them, exponents as every version of YAML reads them."""
    return re.sub(r"(?<![\d.])(\d+)e", r"\1.0e", json.dumps(value))
