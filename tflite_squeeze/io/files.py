"""Writing results: beside the target first, then renamed, so that no half file is ever seen."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tflite_squeeze.errors import InputError, OutputError


def check_output(path: Path, *, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuses an output path before any work is spent on it.

    Args:
        path: the file to be written.
        force: whether a file that is there already may be replaced.
        inputs: files that are read; none of them may be written over, not even with `force`.

    Raises:
        OutputError: the folder is missing or not writable, the path is a folder, the file exists,
            or it is one of the inputs.
    """
    for source in inputs:
        if path.exists() and source.exists() and path.samefile(source):
            raise OutputError(f"output {path} is the input itself: name another file")
    if path.is_dir():
        raise OutputError(f"output {path} is a folder: name a file in it")
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"output folder {folder} does not exist: create it, or name another")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"output folder {folder} is not writable: name another")
    if path.exists() and not force:
        raise OutputError(f"output {path} exists: pass --force to replace it, or name another file")


def write_atomically(path: Path, data: bytes, *, force: bool) -> None:
    """Writes a whole file or nothing.

    Args:
        path: the file to be written.
        data: its content.
        force: whether a file that is there already may be replaced.

    Raises:
        OutputError: as `check_output`, or the system refused the write.
    """
    check_output(path, force=force)
    handle, beside = -1, ""
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        # mkstemp makes private files; a result gets what the user's umask gives any new file.
        Path(beside).chmod(0o666 & ~current_umask())
        Path(beside).replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if beside:
            Path(beside).unlink(missing_ok=True)


def read_file(path: Path, what: str) -> bytes:
    """Reads a whole input file.

    Args:
        path: the file.
        what: what the user takes it for ("model", "labels"), for the message.

    Raises:
        InputError: it is missing, a folder, or not readable.
    """
    if not path.exists():
        raise InputError(f"{what} {path} does not exist: check the path")
    if path.is_dir():
        raise InputError(f"{what} {path} is a folder: name a file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {what} {path}: {error.strerror or error}") from error


def current_umask() -> int:
    """The process's umask, which the system lets one read only by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
