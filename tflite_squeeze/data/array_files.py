"""Files of arrays: .npz and .npy, judged by what their headers declare before they are read."""

import math
import os
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError
from tflite_squeeze.files.archives import check_archive

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

    Raises:
        InputError: it is damaged, holds Python objects, or declares more than it holds.

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
                return {"x": _read_array(file, size_bytes)}
            if not start.startswith(_ZIP):
                raise ValueError("it is neither an .npz nor an .npy file")
            with zipfile.ZipFile(file) as archive:
                check_archive(archive, f"{what} {path}", size_bytes)
                return {
                    member.filename.removesuffix(".npy"): _read_member(archive, member)
                    for member in archive.infolist()
                }
    except _DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{what} {path} cannot be read ({reason[:160]}): {_REMEDY}") from error


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as stream:
        return _read_array(stream, member.file_size)


def _read_array(stream: IO[bytes], size_bytes: int) -> NDArray[Any]:
    """Reads one array, whose header must say what `size_bytes` bytes can hold."""
    version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
    if version == (1, 0):
        header = np.lib.format.read_array_header_1_0(stream)  # type: ignore[no-untyped-call]
    elif version == (2, 0):
        header = np.lib.format.read_array_header_2_0(stream)  # type: ignore[no-untyped-call]
    else:
        raise ValueError(f"its arrays have the version {version[0]}.{version[1]}")
    shape, in_columns, dtype = header
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if any(isinstance(size, bool) or size < 0 for size in shape):
        raise ValueError(f"an array has the shape {shape}")
    declared = math.prod(shape) * dtype.itemsize
    if declared > size_bytes:
        raise ValueError(f"an array declares {declared:,} bytes, and {size_bytes:,} are there")
    if not declared:
        return np.zeros(shape, dtype)
    content = stream.read(declared)
    if len(content) < declared:
        raise EOFError(f"an array declares {declared:,} bytes, and {len(content):,} are there")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if in_columns else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)
