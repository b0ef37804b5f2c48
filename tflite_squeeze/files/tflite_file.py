"""Files that must be `.tflite`: read, and refused by name if they are not."""

from pathlib import Path

from tflite_squeeze.errors import InputError
from tflite_squeeze.files.files import read_file

IDENTIFIER = b"TFL3"  # at bytes 4 to 8 of a flatbuffer


def is_tflite(content: bytes) -> bool:
    """Whether bytes begin as a `.tflite` file does.

    Example:
        >>> is_tflite(b"PK 3.keras")
        False
    """
    return content[4:8] == IDENTIFIER


def refuse_foreign(content: bytes, what: str) -> None:
    """Refuses all but a `.tflite` file.

    Args:
        content: of the file.
        what: to call it in the message.

    Raises:
        InputError: the content lacks the identifier.
    """
    if not is_tflite(content):
        raise InputError(
            f"{what} is not a .tflite file (no TFL3 identifier): convert a Keras model first, "
            f"with tflite-squeeze convert"
        )


def read_tflite(path: Path | str) -> bytes:
    """Reads a `.tflite` file.

    Raises:
        InputError: the file is missing, unreadable or something else.
    """
    content = read_file(Path(path), "file")
    refuse_foreign(content, str(path))
    return content
