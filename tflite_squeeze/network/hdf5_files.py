"""HDF5 files judged by what they declare: sizes, and links that lead out of the file."""

import io
import math
import struct
from typing import Any

from tflite_squeeze.errors import InputError
from tflite_squeeze.files.archives import most_bytes

_MOST_OBJECTS = 200_000
_HEAP, _HEAP_HEAD_BYTES = b"GCOL\1\0\0\0", 16


def check_hdf5(content: bytes, what: str) -> int:
    """Refuses an HDF5 file that reaches out of itself or declares far more than it holds.

    Args:
        content: the file's content.
        what: what the user takes it for, for the message.

    Returns:
        How many bytes its datasets and attributes hold.

    Raises:
        InputError: a link or a dataset lies in another file, holds objects, or all datasets
            together are out of proportion to the file.
    """
    import h5py

    _check_heaps(content, what)
    total, seen, size_bytes = 0, 0, len(content)
    with h5py.File(io.BytesIO(content), "r") as file:
        pending: list[Any] = [file]
        known = {h5py.h5o.get_info(file.id).addr}
        while pending:
            group = pending.pop()
            total += _attribute_bytes(group)
            for name in group:
                seen += 1
                if isinstance(group.get(name, getlink=True), h5py.ExternalLink | h5py.SoftLink):
                    raise InputError(f"{what}: {_named(group, name)} is a link: save it again")
                child = group[name]
                address = h5py.h5o.get_info(child.id).addr
                if address in known:
                    continue
                known.add(address)
                if isinstance(child, h5py.Group):
                    pending.append(child)
                elif isinstance(child, h5py.Dataset):
                    total += _attribute_bytes(child) + _dataset_bytes(child, what)
            if total > most_bytes(size_bytes) or seen > _MOST_OBJECTS:
                raise InputError(
                    f"{what}: its {size_bytes:,} bytes declare {total:,} bytes of weights in "
                    f"{seen:,} datasets: it is damaged, or made to exhaust memory"
                )
    return total


def _check_heaps(content: bytes, what: str) -> None:
    """Follows the objects in the heaps that hold text: the library goes round on one of no size.

    Reference: HDF5 File Format Specification 3.0, III.E, the global heap.
    """
    steps, start = 0, content.find(_HEAP)
    while start >= 0:
        (size,) = struct.unpack_from("<8xQ", content.ljust(start + 16, b"\0"), start)
        at, end = start + _HEAP_HEAD_BYTES, min(start + size, len(content))
        while at + _HEAP_HEAD_BYTES <= end:
            index, object_bytes = struct.unpack_from("<H6xQ", content, at)
            # object 0 is what is free, its own head included
            step = object_bytes if index == 0 else _HEAP_HEAD_BYTES + -(-object_bytes // 8) * 8
            at, steps = at + step, steps + 1
            if not step or steps > len(content):
                raise InputError(f"{what}: a heap of its text is damaged: save or copy it again")
        start = content.find(_HEAP, start + 1)


def _attribute_bytes(item: Any) -> int:
    """What an object's attributes declare; they are read whole when they are read."""
    found = 0
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        found += math.prod(attribute.shape) * attribute.dtype.itemsize
    return int(found)


def _dataset_bytes(dataset: Any, what: str) -> int:
    if dataset.is_virtual or dataset.external:
        raise InputError(
            f"{what}: its dataset {dataset.name[:80]!r} lies in another file: save it again"
        )
    if dataset.dtype.hasobject:
        raise InputError(
            f"{what}: its dataset {dataset.name[:80]!r} holds objects, not numbers: save it again"
        )
    return math.prod(dataset.shape or ()) * int(dataset.dtype.itemsize)


def _named(group: Any, name: str) -> str:
    return repr(f"{group.name.rstrip('/')}/{name}"[:80])
