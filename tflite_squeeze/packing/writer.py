"""Writes the packed form; `sqz_reader` reads it."""

import hashlib
import lzma
import struct
from collections.abc import Iterator

import numpy as np

from tflite_squeeze.packing.forms import RAW, WEIGHTS, Form, Plane, form_of
from tflite_squeeze.packing.spans import Product, Span
from tflite_squeeze.packing.sqz_reader import PALETTE, PRODUCT, Parts

_MAGIC = b"SQZ1"
_LZMA = ((0, 2, 2), (3, 0, 2), (0, 0, 2), (3, 0, 0))  # bits of context: literal, its place, place
_SEGMENT_BYTES = 12  # what the numbers that describe a segment come to, about
_GAIN = 0.9  # what contexts leave of an estimate without them, at least


class Coder(Parts):
    """The reader's model of symbols, with a range coder in place of its decoder."""

    def __init__(self, most: int) -> None:
        super().__init__((most, 0), b"", most)
        self.low, self.span, self.out = 0, 1 << 48, bytearray()
        self.next: Iterator[int] = iter(())

    def code(self, plane: Plane, row: int, group: int) -> None:
        """Codes the symbols of a plane."""
        self.numbers = iter((plane.kind, plane.base, plane.shift, plane.mean, group))
        self.next = iter(plane.symbols.tobytes())
        self.plane(len(plane.symbols), row)

    def symbol(self, sums: list[int]) -> int:
        """Codes the next symbol, where the reader decodes one."""
        symbol = next(self.next)
        unit = self.span // sums[256]
        self.low += unit * sums[symbol]
        self.span = unit * (sums[symbol + 1] - sums[symbol])
        if self.low >> 56:
            self._carry()
        while self.span < 1 << 48:
            self.out.append(self.low >> 48)
            self.low, self.span = (self.low & (1 << 48) - 1) << 8, self.span << 8
        return symbol

    def finished(self) -> bytes:
        """All that was coded; the coder must not be used afterwards."""
        # The first byte is always 0: the reader starts without it.
        return bytes(self.out + self.low.to_bytes(7, "big"))[1:]

    def _carry(self) -> None:
        self.low &= (1 << 56) - 1
        at = len(self.out) - 1
        while self.out[at] == 255:
            self.out[at] = 0
            at -= 1
        self.out[at] += 1


class Writer:
    """Collects the three parts of a packed file.

    Args:
        tflite: the file's content.
    """

    def __init__(self, tflite: bytes) -> None:
        self._tflite = tflite
        self._coder = Coder(len(tflite))
        self._raw = bytearray()
        self._numbers: list[int] = []
        self._groups: dict[tuple[int, ...], int] = {}
        self._written: dict[int, tuple[int, int]] = {}  # by start: which segment, where it ends

    def add(self, span: Span) -> None:
        """Adds the numbers of a span, unless they are as short among the rest."""
        form = form_of(self._tflite, span)
        content = self._tflite[span.start : span.start + span.size]
        if _GAIN * form.bytes + _SEGMENT_BYTES > len(lzma.compress(content)):
            return
        self._segment(span.start, span.count, span.row, form.form, span.width, form.more)
        self._numbers += form.palette
        for place, plane in enumerate(form.planes):
            group = self._group(form, span.width, place, plane)
            self._numbers += (plane.kind, plane.base, plane.shift, plane.mean, group)
            if plane.kind == RAW:
                self._raw += plane.symbols.tobytes()
            else:
                self._coder.code(plane, span.row, group)

    def add_product(self, product: Product) -> bool:
        """Adds scales that follow from others; False if they don't, to the bit."""
        if product.source not in self._written:
            return False
        one, other, factor = (
            np.frombuffer(self._tflite, "<f4", count, start)
            for start, count in (
                (product.start, product.count),
                (product.source, product.count),
                (product.factor, 1),
            )
        )
        if one.tobytes() != (other * factor).tobytes():
            return False
        source, bits = self._written[product.source][0], int(factor.view("<u4")[0])
        self._segment(product.start, product.count, source, PRODUCT, 4, bits)
        return True

    def content(self) -> bytes:
        """The packed file."""
        rest, at = bytearray(), 0
        for start, (_, end) in sorted(self._written.items()):
            rest += self._tflite[at:start]
            at = end
        rest += self._tflite[at:]
        numbers = [len(self._tflite), len(self._raw), len(self._written), *self._numbers]
        frame = _shortest(struct.pack(f"<{len(numbers)}I", *numbers) + rest)
        digest = hashlib.sha256(self._tflite).digest()
        sizes = struct.pack("<2I", len(frame), len(numbers))
        body = digest + sizes + frame + self._raw + self._coder.finished()
        return _MAGIC + hashlib.sha256(body).digest()[:4] + body

    def _segment(self, start: int, *about: int) -> None:
        count, width = about[0], about[3]
        self._written[start] = (len(self._written), start + count * width)
        self._numbers += (start, *about)

    def _group(self, form: Form, width: int, place: int, plane: Plane) -> int:
        """Planes of a kind share their tables; the values of a palette mean nothing elsewhere."""
        if plane.kind in (RAW, WEIGHTS):
            return 0
        alone = len(self._numbers) if form.form == PALETTE else 0
        return self._groups.setdefault((form.form, width, place, alone), len(self._groups) + 1)


def _shortest(content: bytes) -> bytes:
    packed = []
    for literal, position_literal, position in _LZMA:
        about = {"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME}
        about |= {"lc": literal, "lp": position_literal, "pb": position}
        packed.append(lzma.compress(content, lzma.FORMAT_ALONE, filters=[about]))
    return min(packed, key=len)
