"""The files behind a model: labels and vocabularies in an uncompressed ZIP archive.

TFLite metadata (TFLITE_METADATA) name them, and readers look for the archive at the end of the
whole file.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping

from tflite_squeeze.errors import InputError

_LARGEST_FILE_BYTES = 1 << 24
_EPOCH = (1980, 1, 1, 0, 0, 0)  # no time of day, so that equal input gives equal bytes


def attached_files(tflite: bytes) -> dict[str, bytes]:
    """The files behind a model, by name.

    Args:
        tflite: the file's content.

    Returns:
        Content by name; nothing where there are none.

    Raises:
        InputError: the archive is damaged, or holds a very large file.

    Example:
        >>> attached_files(tflite)
        {'labels.txt': b'cat dog'}
    """
    source = io.BytesIO(tflite)
    if not zipfile.is_zipfile(source):
        return {}
    try:
        with zipfile.ZipFile(source) as archive:
            for info in archive.infolist():
                if info.file_size > _LARGEST_FILE_BYTES:
                    raise InputError(
                        f"the file {info.filename!r} behind the model has {info.file_size:,} "
                        f"bytes: associated files are read up to {_LARGEST_FILE_BYTES:,}"
                    )
            return {info.filename: archive.read(info) for info in archive.infolist()}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise InputError(
            f"the files appended to the model cannot be read ({error}): write its metadata again"
        ) from error


def with_attached_files(tflite: bytes, files: Mapping[str, bytes]) -> bytes:
    """A model with files behind it.

    Args:
        tflite: a file without any.
        files: content by name.

    Returns:
        The new file, the same bytes without files.
    """
    if not files:
        return tflite
    written = io.BytesIO(tflite)
    # Appended, as the readers expect it: offsets count from the start of the whole file.
    with zipfile.ZipFile(written, "a", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return written.getvalue()
