"""Files of arrays: .npz and .npy, judged by their headers, and read or mapped into memory."""

import math
import os
import shutil
import struct
import sys
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError, reason_of
from tflite_squeeze.files.archives import check_archive
from tflite_squeeze.files.temporary import no_room

# Arrays of more bytes than this together stay on disk, but for those too small to matter.
HELD_BYTES = 256 * 2**20
SMALL_BYTES = 2**20
PIECE_BYTES = 16 * 2**20

_NPY, _ZIP = b"\x93NUMPY", b"PK"
_REMEDY = "save numeric arrays with np.savez"
# What NumPy and zipfile raise when they meet bytes that no writer wrote.
_DAMAGE = (
    OSError, ValueError, EOFError, TypeError, LookupError, ArithmeticError, RuntimeError,
    AttributeError, SyntaxError, MemoryError, tokenize.TokenError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip


def read_arrays(path: Path, what: str) -> dict[str, NDArray[Any]]:
    """Reads the arrays in a file by name; that of an .npy file is called `x`.

    Args:
        path: the file.
        what: what the user takes it for, for the message.

    Returns:
        Arrays; where the file unpacks to more than `HELD_BYTES`, its large ones are `np.memmap`s:
        of the file itself, or, if they are compressed, of a temporary file without a name, which
        the system deletes when the process ends, however it ends.

    Raises:
        InputError: it is damaged, holds Python objects, or declares more than it holds.
        OutputError: there is no room for what has to be unpacked.

    Example:
        >>> sorted(read_arrays(Path("models/samples/fashion_mnist.npz"), "data"))[:2]
        ['class_names', 'origin']
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_NPY))
            size_bytes = file.seek(0, os.SEEK_END)
            file.seek(0)
            if start == _NPY:
                header = _read_header(file, size_bytes)
                if _stays_on_disk(header, size_bytes) and header.dtype.isnative:
                    return {"x": _map(file, file.tell(), header)}
                return {"x": _unpack(file, header, size_bytes)}
            if not start.startswith(_ZIP):
                raise ValueError("it is neither an .npz nor an .npy file")
            with zipfile.ZipFile(file) as archive:
                check_archive(archive, f"{what} {path}", size_bytes)
                return {
                    member.filename.removesuffix(".npy"): _read_member(file, archive, member)
                    for member in archive.infolist()
                }
    except _DAMAGE as error:
        reason = reason_of(error)
        raise InputError(f"{what} {path} cannot be read ({reason}): {_REMEDY}") from error


@dataclass(frozen=True, kw_only=True)
class _Header:
    """What the start of a stored array declares."""

    shape: tuple[int, ...]
    order: Literal["C", "F"]
    dtype: np.dtype[Any]

    @property
    def size_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def _stays_on_disk(header: _Header, total_bytes: int) -> bool:
    return total_bytes > HELD_BYTES and header.size_bytes > SMALL_BYTES


def _read_member(
    file: IO[bytes], archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> NDArray[Any]:
    total_bytes = sum(each.file_size for each in archive.infolist())
    with archive.open(member) as stream:
        header = _read_header(stream, member.file_size)
        stored = member.compress_type == zipfile.ZIP_STORED and header.dtype.isnative
        if not stored or not _stays_on_disk(header, total_bytes):
            return _unpack(stream, header, total_bytes)
        header_bytes = stream.tell()
        # Reading to the end is what compares the checksum; a mapped array is not looked at whole.
        for _ in _contents(stream, header):
            pass
    # A local header: 30 bytes, of which the last four are the lengths of what follows.
    file.seek(member.header_offset)
    name_bytes, extra_bytes = struct.unpack("<26x2H", file.read(30))
    start = member.header_offset + 30 + name_bytes + extra_bytes
    return _map(file, start + header_bytes, header)


def _read_header(stream: IO[bytes], size_bytes: int) -> _Header:
    """Reads the header of one array, which must declare what `size_bytes` bytes can hold."""
    version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
    if version == (1, 0):
        read = np.lib.format.read_array_header_1_0(stream)  # type: ignore[no-untyped-call]
    elif version == (2, 0):
        read = np.lib.format.read_array_header_2_0(stream)  # type: ignore[no-untyped-call]
    else:
        raise ValueError(f"its arrays have the version {version[0]}.{version[1]}")
    shape, in_columns, dtype = read
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if any(isinstance(size, bool) or size < 0 for size in shape):
        raise ValueError(f"an array has the shape {shape}")
    header = _Header(shape=shape, order="F" if in_columns else "C", dtype=dtype)
    if dtype.kind == "U" and header.size_bytes > SMALL_BYTES:
        raise ValueError(f"an array holds {header.size_bytes:,} bytes of text")
    if header.size_bytes > size_bytes:
        raise ValueError(
            f"an array declares {header.size_bytes:,} bytes, and {size_bytes:,} are there"
        )
    return header


def _unpack(stream: IO[bytes], header: _Header, total_bytes: int) -> NDArray[Any]:
    """Reads one array in this machine's byte order, into memory or a temporary file."""
    native = header.dtype.newbyteorder("=")
    if not header.size_bytes:
        return np.zeros(header.shape, header.dtype)
    if not _stays_on_disk(header, total_bytes):
        content = b"".join(_contents(stream, header))
        if header.dtype.kind == "U":
            _check_text(content, header.dtype)
        array = np.frombuffer(content, header.dtype).reshape(header.shape, order=header.order)
        return array.astype(native, copy=False)
    with _unnamed_file(header.size_bytes) as unpacked:
        for piece in _contents(stream, header):
            try:
                unpacked.write(np.frombuffer(piece, header.dtype).astype(native, copy=False).data)
                unpacked.flush()
            except OSError as error:
                raise no_room(error) from error
        return _map(unpacked, 0, _Header(shape=header.shape, order=header.order, dtype=native))


def _check_text(content: bytes, dtype: np.dtype[Any]) -> None:
    if np.frombuffer(content, dtype.str[0] + "u4").max() > sys.maxunicode:
        raise ValueError("its text holds characters that do not exist")


def _unnamed_file(size_bytes: int) -> IO[bytes]:
    """A temporary file with room for so much; the system deletes it after its last use."""
    try:
        free_bytes = shutil.disk_usage(tempfile.gettempdir()).free
        if free_bytes < size_bytes:
            raise OSError(f"{size_bytes:,} bytes are needed and {free_bytes:,} are free")
        return tempfile.TemporaryFile()
    except OSError as error:
        raise no_room(error) from error


def _contents(stream: IO[bytes], header: _Header) -> Iterator[bytes]:
    """An array's bytes, whole numbers of elements at a time."""
    element_bytes = header.dtype.itemsize
    at_once, left = max(1, PIECE_BYTES // element_bytes) * element_bytes, header.size_bytes
    while left:
        piece = stream.read(min(at_once, left))
        if len(piece) < min(at_once, left):
            there = header.size_bytes - left + len(piece)
            raise EOFError(
                f"an array declares {header.size_bytes:,} bytes, and {there:,} are there"
            )
        left -= len(piece)
        yield piece


def _map(file: IO[bytes], start: int, header: _Header) -> NDArray[Any]:
    return np.memmap(
        file, dtype=header.dtype, mode="r", offset=start, shape=header.shape, order=header.order
    )
