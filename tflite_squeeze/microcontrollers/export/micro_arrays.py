"""Numbers as C writes them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BYTES_A_LINE = 12
_NUMBERS_A_LINE = 8


def byte_lines(data: bytes) -> str:
    """Bytes as the inside of an initialiser.

    Example:
        >>> byte_lines(b"TF")
        '    0x54, 0x46,'
    """
    lines = (data[at : at + _BYTES_A_LINE] for at in range(0, len(data), _BYTES_A_LINE))
    return "\n".join("    " + " ".join(f"0x{byte:02x}," for byte in line) for line in lines)


def number_lines(values: NDArray[Any]) -> str:
    """Numbers as the inside of an initialiser; reals so that a compiler reads the same bits.

    Args:
        values: any shape; bool, integers or float32.

    Raises:
        ValueError: a real is not finite, which C has no literal for.

    Example:
        >>> number_lines(np.float32([0.1, 2]))
        '    0.1f, 2.0f,'
    """
    texts = [number(value) for value in values.ravel()]
    lines = (texts[at : at + _NUMBERS_A_LINE] for at in range(0, len(texts), _NUMBERS_A_LINE))
    return "\n".join("    " + " ".join(f"{text}," for text in line) for line in lines)


def number(value: Any) -> str:
    """One number as a C literal of its type.

    Example:
        >>> number(np.float32(1e-7)), number(np.int8(-128))
        ('1e-07f', '-128')
    """
    if isinstance(value, np.bool_ | bool):
        return "1" if value else "0"
    if np.issubdtype(type(value), np.integer):
        return _integer(int(value))
    if not np.isfinite(value):
        raise ValueError(f"{value} has no literal in C")
    # The shortest text that reads back as the same float32.
    text = str(np.float32(value))
    return f"{text}f"


def _integer(value: int) -> str:
    """C has no negative literals, so the least of 32 and 64 bits needs arithmetic."""
    if -(2**31) < value < 2**31:
        return str(value)
    if value == -(2**63):
        return "(-9223372036854775807LL - 1)"
    return f"{value}LL"
