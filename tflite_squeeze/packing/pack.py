"""Packs a .tflite file for sending and storing as .tflite.sqz, which unpacks bit for bit.

A range coder whose frequencies depend on the neighbours of each weight codes the weights;
LZMA compresses names, tables and other small parts. `sqz_reader`, one file of 100 lines, unpacks
it.

A packed file is, in order: SQZ1; 4 bytes of the SHA-256 of all that follows; the SHA-256 of the
.tflite file; the size of the frame and how many numbers it holds, 4 bytes each; the frame, packed
with LZMA; bytes that gain nothing from coding; and the codes. The frame is the numbers that say
how to read the others, 4 bytes each, and the rest of the .tflite file.
"""

import lzma
import struct

from tflite_squeeze.errors import CheckFailed, InputError, UnsupportedError
from tflite_squeeze.packing import sqz_reader
from tflite_squeeze.packing.spans import products_of, spans_of
from tflite_squeeze.packing.writer import Writer

_LARGEST_BYTES = 2**32 - 1  # positions are 32 bits


def pack(tflite: bytes) -> bytes:
    """Packs a .tflite file; takes a second per megabyte, and as long again to check it.

    Args:
        tflite: the file's content: of any converter, quantized or not, sparse tensors, operators
            of Larq Compute Engine and buffers behind the flatbuffer included.

    Returns:
        The packed file, the same for the same input.

    Raises:
        InputError: the file is damaged, or not a .tflite file.
        UnsupportedError: it has 4 GB or more, or consists almost only of zeros.
        CheckFailed: unpacking does not give the same bytes back.

    Example:
        >>> unpack(pack(tflite)) == tflite
        True
    """
    if len(tflite) > _LARGEST_BYTES:
        raise UnsupportedError(
            f"files of up to 4 GB can be packed; this one has {len(tflite):,} bytes: quantize it"
        )
    spans = {span.start: span for span in spans_of(tflite)}
    products = {one.start: one for one in products_of(tflite)}
    writer = Writer(tflite)
    for span in spans.values():
        if span.start not in products:
            writer.add(span)
    for start, product in products.items():
        if start in spans and not writer.add_product(product):
            writer.add(spans[start])
    packed = writer.content()
    if len(tflite) > sqz_reader.FREE + sqz_reader.GROWTH * len(packed):
        raise UnsupportedError(
            f"the file would pack to less than a {sqz_reader.GROWTH}th ({len(packed):,} of "
            f"{len(tflite):,} bytes), which unpacking would reject as damaged: "
            f"compress it with gzip"
        )
    if unpack(packed) != tflite:
        raise CheckFailed("the packed file does not unpack to the same bytes: report this")
    return packed


def unpack(packed: bytes) -> bytes:
    """Unpacks a .tflite.sqz file.

    Args:
        packed: what `pack` returned.

    Returns:
        The .tflite file, bit for bit; its SHA-256 was checked.

    Raises:
        InputError: the bytes are not a packed file, or it is damaged.
    """
    try:
        return sqz_reader.unpack(packed)
    except (
        ValueError,
        LookupError,
        ArithmeticError,
        RuntimeError,
        StopIteration,
        EOFError,
        MemoryError,
        TypeError,
        struct.error,
        lzma.LZMAError,
    ) as error:
        raise InputError(
            "these bytes are not a .tflite.sqz file, or it is damaged: copy or download it again"
        ) from error
