"""Writing a folder of results: all of it or nothing, and never over what is there."""

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tflite_squeeze.errors import OutputError
from tflite_squeeze.files.files import check_output, current_umask, write_atomically


def check_folder(
    folder: Path, names: Iterable[str], *, force: bool, inputs: Iterable[Path] = ()
) -> None:
    """Refuses a folder to write into before any work is spent on it.

    Args:
        folder: where the files go; it need not exist, its parent must.
        names: paths of the files below it, with forward slashes.
        force: whether files of these names that are there already may be replaced.
        inputs: files that are read; none of them may be written over, not even with `force`.

    Raises:
        OutputError: the folder cannot be made, is a file, or holds one of the files.
    """
    sources = list(inputs)
    if not folder.exists():
        check_output(folder, force=force)
        return
    if not folder.is_dir():
        raise OutputError(f"output {folder} is a file: name a folder")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"output {folder} is not writable: name another folder")
    for name in names:
        path = folder / name
        blocking = next((p for p in path.parents if p.exists() and not p.is_dir()), None)
        if blocking is not None:
            raise OutputError(f"output {path} lies in {blocking}, which is a file: name another")
        if path.parent.is_dir():
            check_output(path, force=force, inputs=sources)


def write_folder(folder: Path, files: Mapping[str, bytes], *, force: bool) -> None:
    """Writes files into a folder. A new folder appears whole or not at all.

    Args:
        folder: where they go; made if it does not exist.
        files: content by path below the folder, with forward slashes.
        force: whether files that are there already may be replaced; others are left alone.

    Raises:
        OutputError: as `check_folder`, or the system refused the write.
    """
    check_folder(folder, files, force=force)
    try:
        if folder.exists():
            _fill(folder, files, force=force)
        else:
            _make(folder, files)
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror or error}") from error


def _make(folder: Path, files: Mapping[str, bytes]) -> None:
    """Fills a folder beside the new one, then gives it its name."""
    target = folder.resolve()
    with tempfile.TemporaryDirectory(prefix=".tflite-squeeze-", dir=target.parent) as beside:
        whole = Path(beside) / "whole"
        whole.mkdir()
        _fill(whole, files, force=False)
        whole.chmod(0o777 & ~current_umask())
        whole.rename(target)


def _fill(folder: Path, files: Mapping[str, bytes], *, force: bool) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content, force=force)
