"""Temporary folders: always deleted, with a one-line error where the disk is full."""

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tflite_squeeze.errors import OutputError, reason_of

# Full, over its quota, beyond the limit of a file's size, or not writable.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)

_SAID = re.compile("|".join(os.strerror(number) for number in _NO_ROOM))


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder, deleted with all that is in it when the block ends.

    Raises:
        OutputError: it cannot be made, or the disk is full.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="tflite_squeeze_", ignore_cleanup_errors=True)
    except OSError as error:
        raise no_room(error) from error
    with folder as name:
        try:
            yield Path(name)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise no_room(error) from error
            raise


@contextmanager
def collected_temporary_files() -> Iterator[None]:
    """Lets all that makes temporary files in the block make them in one folder, which then goes.

    Libraries leave theirs behind where they fail.

    Raises:
        OutputError: as `temporary_folder`.
    """
    before = tempfile.tempdir
    with temporary_folder() as folder:
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before


def no_room(error: Exception) -> OutputError:
    """The error for a temporary file that could not be written.

    Args:
        error: what the system or a library said.
    """
    known = _SAID.search(str(error))  # TensorFlow puts it behind names of its own
    said = known[0] if known else reason_of(error)
    # Not `tempfile.gettempdir`, which raises where there is no place at all.
    place = os.environ.get("TMPDIR") or tempfile.tempdir or "/tmp"  # noqa: S108 - only named
    return OutputError(
        f"there is no space for temporary files in {place} ({said}): free space there, or set "
        f"TMPDIR to another folder"
    )
