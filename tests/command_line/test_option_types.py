"""Types of options: sizes in bytes, sizes in pixels, numbers."""

from typing import Any

import pytest

from tflite_squeeze.command_line.option_types import BYTES, NUMBERS, PIXELS
from tflite_squeeze.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("262144", 262144), ("256K", 262144), ("256k", 262144), ("256 KiB", 262144),
     ("1M", 1048576), ("1.5M", 1572864), ("2G", 2147483648), ("64KB", 65536)],
)  # fmt: skip
def test_sizes_are_read(text: str, size: int) -> None:
    assert BYTES.convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "0", "K", "-1", "2Q", "1e3", "nan", "0.1"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write SIZE, such as 262144, 256K or 1M"):
        BYTES.convert(text, None, None)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [(PIXELS, "96x64", (96, 64)), (NUMBERS, "0.5", 0.5), (NUMBERS, "1,2,3", (1.0, 2.0, 3.0))],
)
def test_texts_are_read(kind: Any, text: str, value: Any) -> None:
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(("kind", "text"), [(PIXELS, "96"), (PIXELS, "1x2x3"), (NUMBERS, "1,")])
def test_other_texts_are_refused(kind: Any, text: str) -> None:
    with pytest.raises(UsageError, match=f"is '{text}': write "):
        kind.convert(text, None, None)


def test_a_value_stays() -> None:
    assert BYTES.convert(7, None, None) == 7
