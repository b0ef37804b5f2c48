"""Temporary folders: always deleted, with a one-line error where the disk is full."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tflite_squeeze.errors import OutputError

# Full, over its quota, beyond the limit of a file's size, or not writable.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


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


def no_room(error: Exception) -> OutputError:
    """The error for a temporary file that could not be written.

    Args:
        error: what the system or a library said.
    """
    said = getattr(error, "strerror", None) or (str(error).splitlines() or [""])[0][:120]
    # Not `tempfile.gettempdir`, which raises where there is no place at all.
    place = os.environ.get("TMPDIR") or tempfile.tempdir or "/tmp"  # noqa: S108 - only named
    return OutputError(
        f"there is no space for temporary files in {place} ({said}): free space there, or set "
        f"TMPDIR to another folder"
    )
