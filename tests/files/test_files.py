"""Output is whole or not there; nobody's file is written over unasked."""

import os
import stat
from pathlib import Path

import pytest

from tflite_squeeze.errors import InputError, OutputError
from tflite_squeeze.files.files import check_output, current_umask, read_file, write_atomically


def test_written_whole_with_the_user_s_permissions(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.bin", b"content", force=False)
    assert (tmp_path / "a.bin").read_bytes() == b"content"
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o666 & ~current_umask()
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_what_is_there_is_replaced_only_with_force(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists: pass --force"):
        write_atomically(path, b"new", force=False)
    assert path.read_bytes() == b"old"
    write_atomically(path, b"new", force=True)
    assert path.read_bytes() == b"new"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "a.bin"
    target.write_bytes(b"old")
    (tmp_path / "link.bin").symlink_to(target)
    write_atomically(tmp_path / "link.bin", b"new", force=True)
    assert (tmp_path / "link.bin").is_symlink()
    assert target.read_bytes() == b"new"


def test_failed_write_leaves_nothing_and_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_atomically(path, b"new", force=True)
    assert [file.name for file in tmp_path.iterdir()] == ["a.bin"]
    assert path.read_bytes() == b"old"


def test_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a.bin", b"new", force=True)
    assert list(tmp_path.iterdir()) == []


def test_the_input_is_never_the_output_not_even_by_another_name(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"model")
    (tmp_path / "same").symlink_to(path)
    for output in (path, tmp_path / "same", tmp_path / "." / "model.keras"):
        with pytest.raises(OutputError, match="is the input itself"):
            check_output(output, force=True, inputs=[path])
    check_output(tmp_path / "other.tflite", force=True, inputs=[path, tmp_path / "missing"])


def test_outputs_that_cannot_be_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "a")
    os.mkfifo(tmp_path / "pipe")
    for name, match in (
        (".", "is a folder"),
        ("nowhere/a.bin", "does not exist: create it"),
        ("file/a.bin", "Not a directory|does not exist"),
        ("dangling", "does not exist: create it"),
        ("pipe", "a device or a pipe"),
        ("x" * 300, "File name too long"),
    ):
        with pytest.raises(OutputError, match=match) as caught:
            check_output(tmp_path / name, force=True)
        assert caught.value.exit_code == 2
    with pytest.raises(OutputError, match="a device or a pipe"):
        write_atomically(Path("/dev/null"), b"", force=True)


def test_folders_that_cannot_be_written_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match="not writable"):
        check_output(tmp_path / "a.bin", force=False)


def test_longest_possible_names_can_be_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("x" * 255), b"content", force=False)
    assert (tmp_path / ("x" * 255)).read_bytes() == b"content"


def test_unreadable_inputs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"model .*nothing does not exist"):
        read_file(tmp_path / "nothing", "model")
    with pytest.raises(InputError, match="is a folder: name a file"):
        read_file(tmp_path, "model")
    with pytest.raises(InputError, match="File name too long"):
        read_file(tmp_path / ("x" * 300), "model")

    def forbidden(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(InputError, match="is a device or a pipe: name a regular file"):
        read_file(Path("/dev/zero"), "model")
    (tmp_path / "a").write_bytes(bytes(9))
    with pytest.raises(InputError, match="has 9 bytes, more than 8"):
        read_file(tmp_path / "a", "model", most_bytes=8)
    with pytest.raises(InputError, match="null"):
        read_file(Path("a\0b"), "model")
    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(InputError, match=r"cannot read labels .*: Permission denied"):
        read_file(tmp_path / "a", "labels")
