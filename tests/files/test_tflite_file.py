"""Files that must be `.tflite`."""

from pathlib import Path

import pytest

from tflite_squeeze.errors import InputError
from tflite_squeeze.files.tflite_file import read_tflite


def test_the_content_of_a_file(tmp_path: Path) -> None:
    content = b"\x1c\x00\x00\x00TFL3rest"
    (tmp_path / "a.tflite").write_bytes(content)
    assert read_tflite(tmp_path / "a.tflite") == content


@pytest.mark.parametrize("content", [b"", b"TFL3", b"PK\x03\x04 a Keras model"])
def test_anything_else_is_refused_by_its_path(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "b.keras"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"b\.keras is not a \.tflite file"):
        read_tflite(path)
