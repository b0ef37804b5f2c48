import click
import pytest

from tflite_squeeze.command_line.option_types import ByteSize


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("262144", 262144), ("256K", 262144), ("256k", 262144), ("256 KiB", 262144),
     ("1M", 1048576), ("1.5M", 1572864), ("2G", 2147483648), ("64KB", 65536)],
)  # fmt: skip
def test_sizes_are_read(text: str, size: int) -> None:
    assert ByteSize().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "0", "K", "-1", "2Q", "1e3", "nan", "0.1"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no size in bytes"):
        ByteSize().convert(text, None, None)


def test_a_number_stays() -> None:
    assert ByteSize().convert(7, None, None) == 7
