"""Folders of results."""

from pathlib import Path

import pytest

from tflite_squeeze.errors import OutputError
from tflite_squeeze.files.files import check_folder, write_folder

FILES = {"README.md": b"read", "assets/a.bin": b"\x00\x01"}


def content(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_a_new_folder_holds_the_files_and_nothing_else(tmp_path: Path) -> None:
    write_folder(tmp_path / "out", FILES, force=False)
    assert content(tmp_path) == {f"out/{name}": data for name, data in FILES.items()}
    assert (tmp_path / "out").stat().st_mode & 0o700 == 0o700


def test_other_files_of_a_folder_stay_and_same_names_need_force(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    write_folder(tmp_path, FILES, force=False)
    assert content(tmp_path) == {**FILES, "mine.txt": b"mine"}
    with pytest.raises(OutputError, match=r"README.md exists: pass --force"):
        write_folder(tmp_path, {**FILES, "README.md": b"new"}, force=False)
    assert content(tmp_path)["README.md"] == b"read"
    write_folder(tmp_path, {**FILES, "README.md": b"new"}, force=True)
    assert content(tmp_path)["README.md"] == b"new"


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "assets").write_text("a file")
    with pytest.raises(OutputError, match=r"lies in .*assets, which is a file"):
        check_folder(tmp_path, FILES, force=True)
    with pytest.raises(OutputError, match=r"assets is a file: name a folder"):
        check_folder(tmp_path / "assets", FILES, force=True)
    with pytest.raises(OutputError, match="does not exist"):
        check_folder(tmp_path / "no" / "out", FILES, force=False)


def test_an_input_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("input")
    with pytest.raises(OutputError, match="is the input itself"):
        check_folder(tmp_path, FILES, force=True, inputs=[tmp_path / "README.md"])


def test_a_write_that_fails_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OutputError("disk full")

    monkeypatch.setattr("tflite_squeeze.files.files.write_atomically", refuse)
    with pytest.raises(OutputError, match="disk full"):
        write_folder(tmp_path / "out", FILES, force=False)
    assert list(tmp_path.iterdir()) == []
