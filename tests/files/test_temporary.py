"""Temporary folders: gone in every case, and told of where there is no room."""

import errno
import tempfile
from pathlib import Path

import pytest

from tflite_squeeze.errors import OutputError
from tflite_squeeze.files.temporary import collected_temporary_files, temporary_folder


@pytest.mark.parametrize("error", [None, ValueError("x"), OSError(errno.ENOSPC, "No space")])
def test_the_folder_goes_in_every_case(error: Exception | None) -> None:
    kept: list[Path] = []

    def work() -> None:
        with temporary_folder() as folder:
            kept.append(folder)
            (folder / "a").write_bytes(b"x")
            if error is not None:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises((ValueError, OutputError)):
            work()
    assert not kept[0].exists()


def test_no_room_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = r"no space for temporary files in .*No space.*set TMPDIR"
    with pytest.raises(OutputError, match=said), temporary_folder():
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FileNotFoundError), temporary_folder():
        (tmp_path / "none").read_bytes()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(OutputError, match="no space for temporary files"), temporary_folder():
        pass


def test_what_libraries_leave_behind_goes_too() -> None:
    before, left = tempfile.tempdir, list[Path]()

    def work() -> None:
        with collected_temporary_files():
            left.append(Path(tempfile.mkdtemp()))
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        work()
    assert not left[0].exists()
    assert tempfile.tempdir == before
