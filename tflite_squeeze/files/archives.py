"""Archives and arrays judged by what they declare, before any of it is unpacked."""

import json
import zipfile
from typing import Any

from tflite_squeeze.errors import InputError

# What a file may unpack to: weights that are mostly zeros shrink to a twentieth, not a hundredth.
_GROWTH = 100
_FREE_BYTES = 64 * 2**20
_MOST_MEMBERS = 100_000
# A configuration is text of some hundred bytes a layer; vocabularies make it longer.
_LARGEST_TEXT_BYTES = 64 * 2**20
_ENCRYPTED = 1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def most_bytes(size_bytes: int) -> int:
    """How many bytes a file of some size may unpack to.

    Example:
        >>> most_bytes(1000)
        67208864
    """
    return _GROWTH * size_bytes + _FREE_BYTES


def check_archive(archive: zipfile.ZipFile, what: str, size_bytes: int) -> None:
    """Refuses a zip archive that cannot be read, or that unpacks to far more than its size.

    Args:
        archive: the archive, open.
        what: what the user takes it for, for the message.
        size_bytes: the file's size.

    Raises:
        InputError: a member is encrypted or packed by an unknown method, or all of them together
            are out of proportion.
    """
    members = archive.infolist()
    for member in members:
        if member.flag_bits & _ENCRYPTED:
            raise InputError(f"{what}: its member {member.filename[:60]!r} is encrypted: unlock it")
        if member.compress_type not in _METHODS:
            raise InputError(
                f"{what}: its member {member.filename[:60]!r} is packed by the method "
                f"{member.compress_type}: pack it again, with deflate or none"
            )
    total = sum(member.file_size for member in members)
    if total > most_bytes(size_bytes) or len(members) > _MOST_MEMBERS:
        raise InputError(
            f"{what}: {size_bytes:,} bytes would unpack to {total:,} bytes in {len(members):,} "
            f"members: it is damaged, or made to exhaust memory"
        )


def read_json(archive: zipfile.ZipFile, name: str) -> Any:
    """What a member of an archive holds as JSON.

    Raises:
        KeyError: there is no such member.
        ValueError: it is no JSON, or longer than any configuration.
    """
    size = archive.getinfo(name).file_size
    if size > _LARGEST_TEXT_BYTES:
        raise ValueError(f"{name} is {size:,} bytes long")
    return json.loads(archive.read(name))
