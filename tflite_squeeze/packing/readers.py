"""The readers of packed files that other programs take: one file a language."""

from pathlib import Path

from tflite_squeeze.errors import InputError

SUFFIXES = (".py", ".c", ".kt")


def check_reader(path: Path | None) -> None:
    """Checks that there is a reader for the name of a file.

    Args:
        path: where a reader is to be written; None for no reader.

    Raises:
        InputError: its suffix is that of no language that has one.
    """
    if path is not None and path.suffix not in SUFFIXES:
        raise InputError(f"--reader {path} must end in one of {', '.join(SUFFIXES)}")


def reader_source(suffix: str) -> bytes:
    """The source of a reader.

    Args:
        suffix: one of `SUFFIXES`.
    """
    return Path(__file__).with_name(f"sqz_reader{suffix}").read_bytes()
