"""Packs a .tflite file for sending and storing as .tflite.sqz, which unpacks bit for bit.

The names, tables and small parts of a file, its frame, are coded byte by byte as mixed
predictions of many contexts; runs of numbers as integers by the sizes of those around them, or,
where there are many, by tables of frequencies. docs/packed-format.md describes the format, and
`sqz_reader` reads it. Files of version 0.1 are read by `first_format`.
"""

import lzma
import struct

from tflite_squeeze.errors import CheckFailed, InputError, UnsupportedError
from tflite_squeeze.packing import first_format, sqz_reader
from tflite_squeeze.packing.compiled import array_of, run_whole
from tflite_squeeze.packing.forms import Form, mixed_form, product_form, table_form
from tflite_squeeze.packing.spans import products_of, spans_of
from tflite_squeeze.packing.writer import Writer

_LARGEST_BYTES = 2**32 - 1  # positions are 32 bits
_MOST_DECISIONS = 1 << 19  # that are mixed, in a file: 5 seconds without Numba
_LEAST_PRODUCTS = 4


def pack(tflite: bytes) -> bytes:
    """Packs a .tflite file, and unpacks it again to check it.

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
    writer = Writer(tflite)
    for start, form in sorted(forms_of(tflite).items()):
        writer.add(start, form)
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
        if packed[:4] == first_format.MAGIC:
            return first_format.unpack(packed)
        return sqz_reader.unpack(packed, run_whole, array_of)
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


def forms_of(tflite: bytes) -> dict[int, Form]:
    """How each long run of numbers is coded, by where it begins; the rest is the frame.

    Args:
        tflite: the content of a file that `read_model` accepts.
    """
    found, spans = {}, spans_of(tflite)
    for product in products_of(tflite):
        placed = product_form(tflite, product)
        if placed is not None and product.count >= _LEAST_PRODUCTS:
            found[placed[0]] = placed[1]
    others = [span for span in spans if span.start not in found]
    mixed = {span.start: mixed_form(tflite, span) for span in others}
    left = _MOST_DECISIONS
    sizes = {start: form.decisions for start, form in mixed.items() if form is not None}
    for start in sorted(sizes, key=lambda one: (sizes[one], one)):
        left -= sizes[start]
        if left < 0:
            mixed[start] = None
    for span in others:
        found[span.start] = mixed[span.start] or table_form(tflite, span)
    return found
