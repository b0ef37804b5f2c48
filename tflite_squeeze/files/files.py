"""Writing results: beside the target first, then renamed, so that no half file is ever seen."""

import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
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
    try:
        reason = _why_not(path, force=force, inputs=inputs)
    except OSError as error:  # a name too long, or a folder that may not be looked into
        reason = f"cannot be used ({error.strerror or error}): name another file"
    if reason:
        raise OutputError(f"output {path} {reason}")


def _why_not(path: Path, *, force: bool, inputs: Iterable[Path]) -> str | None:
    """What is wrong with an output path and what to do, or None."""
    for source in inputs:
        if path.exists() and source.exists() and path.samefile(source):
            return "is the input itself: name another file"
    if path.is_dir():
        return "is a folder: name a file in it"
    # Where a link points is where the content goes.
    folder = path.resolve().parent
    if not folder.is_dir():
        return f"lies in {folder}, which does not exist: create it, or name another folder"
    if not os.access(folder, os.W_OK):
        return f"lies in {folder}, which is not writable: name another folder"
    if path.exists() and not path.is_file():
        return "is a device or a pipe: name a regular file"
    if path.exists() and not force:
        return "exists: pass --force to replace it, or name another file"
    return None


# What a file is called while it is written, before it gets its name.
UNFINISHED = ".tflite-squeeze-"


def write_atomically(path: Path, data: bytes, *, force: bool, prefix: str = UNFINISHED) -> None:
    """Writes a whole file or nothing.

    Args:
        path: the file to be written.
        data: its content.
        force: whether a file that is there already may be replaced.
        prefix: of the name that the file has, in the same folder, until it is whole.

    Raises:
        OutputError: as `check_output`, or the system refused the write.
    """
    check_output(path, force=force)
    handle, beside = -1, ""
    try:
        target = path.resolve()
        # A short name: with the target's own in it, a long one would become too long.
        handle, beside = tempfile.mkstemp(prefix=prefix, dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        # mkstemp makes private files; a result gets what the user's umask gives any new file.
        Path(beside).chmod(0o666 & ~current_umask())
        Path(beside).replace(target)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if beside:
            Path(beside).unlink(missing_ok=True)


def read_file(path: Path, what: str, *, most_bytes: int | None = None) -> bytes:
    """Reads a whole input file.

    Args:
        path: the file.
        what: what the user takes it for ("model", "labels"), for the message.
        most_bytes: how large a file of this kind may be.

    Raises:
        InputError: it is missing, a folder, a device, too large, or not readable.
    """
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
            raise InputError(f"{what} {path} is a device or a pipe: name a regular file")
        if most_bytes is not None and about.st_size > most_bytes:
            raise InputError(
                f"{what} {path} has {about.st_size:,} bytes, more than {most_bytes:,}: name "
                f"another file"
            )
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{what} {path} does not exist: check the path") from error
    except IsADirectoryError as error:
        raise InputError(f"{what} {path} is a folder: name a file") from error
    except OSError as error:
        raise InputError(f"cannot read {what} {path}: {error.strerror or error}") from error
    except (ValueError, MemoryError) as error:  # a name with a null, a file beyond memory
        reason = str(error) or "it does not fit into memory"
        raise InputError(f"cannot read {what} {str(path)!r}: {reason}") from error


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; names that the system cannot look up are none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether a path is a file; names that the system cannot look up are none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def current_umask() -> int:
    """The process's umask, which the system lets one read only by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


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
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=target.parent) as beside:
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
