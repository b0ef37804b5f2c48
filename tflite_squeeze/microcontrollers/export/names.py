"""Names that a C and C++ compiler takes."""

import re

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
