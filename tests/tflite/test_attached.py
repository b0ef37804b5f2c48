"""Files behind a model."""

import pytest

from tests.tiny_files import dense_file
from tflite_squeeze.errors import InputError
from tflite_squeeze.tflite.attached import attached_files, with_attached_files

FILES = {"labels.txt": b"cat\ndog\n", "vocabulary.txt": b"a"}


def test_files_come_back_as_they_were() -> None:
    tflite = dense_file()
    whole = with_attached_files(tflite, FILES)
    assert whole.startswith(tflite)
    assert attached_files(whole) == FILES
    assert whole == with_attached_files(tflite, FILES)


def test_without_files_nothing_changes() -> None:
    assert with_attached_files(dense_file(), {}) == dense_file()
    assert attached_files(dense_file()) == {}


def test_a_damaged_archive_is_refused() -> None:
    whole = with_attached_files(dense_file(), FILES)
    broken = whole.replace(b"cat\ndog\n", b"cow\ndog\n")
    with pytest.raises(InputError, match="appended to the model cannot be read"):
        attached_files(broken)
