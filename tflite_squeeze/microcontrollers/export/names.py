"""Names that a C and C++ compiler takes."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Words of C11 and C++17, what the generated code uses itself, and macros of common compilers.
_WORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class
compl const const_cast constexpr continue decltype default delete do double dynamic_cast else enum
explicit export extern false float for friend goto if inline int long mutable namespace new noexcept
not not_eq nullptr operator or or_eq private protected public register reinterpret_cast restrict
return short signed sizeof static static_assert static_cast struct switch template this
thread_local throw true try typedef typeid typename union unsigned using virtual void volatile
wchar_t while xor xor_eq
main setup loop interpreter arena resolver registered memcpy tflite Serial micros delay
int8_t uint8_t int16_t int32_t int64_t size_t NULL EOF NAN INFINITY errno linux unix arm
assert
"""
# Headers that a file of this name would hide from `#include <...>`.
_HEADERS = """
complex ctype fenv inttypes iso646 limits locale math setjmp signal stdalign stdarg
stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar
wctype alloca features malloc memory poll pthread sched strings unistd Arduino TensorFlowLite
"""
_RESERVED, _HIDDEN = frozenset(_WORDS.split()), frozenset(_HEADERS.split())


def is_c_name(name: str) -> bool:
    """Whether a model, with its functions and files, may be called so in C and in C++.

    Example:
        >>> is_c_name("lenet_5"), is_c_name("5_lenet"), is_c_name("class")
        (True, False, False)
    """
    return _IDENTIFIER.fullmatch(name) is not None and name not in _RESERVED | _HIDDEN


def c_name(text: str, taken: set[str]) -> str:
    """A name like a tensor's that is free, for a parameter.

    Args:
        text: the tensor's name, which may hold anything.
        taken: names that are in use; the new one is added.

    Example:
        >>> c_name("serving_default_x:0", set())
        'serving_default_x_0'
    """
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    if not name or not name[0].isalpha():
        name = f"tensor_{name}".rstrip("_")
    base = f"{name}_" if name in _RESERVED else name
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    taken.add(name)
    return name


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
