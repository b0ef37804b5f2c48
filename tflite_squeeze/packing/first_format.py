"""Reads packed files of version 0.1: `SQZ1`, coded by tables, with LZMA around the frame."""

import hashlib
import lzma
import struct
from bisect import bisect_right
from itertools import accumulate, islice

MAGIC = b"SQZ1"
ROTATED, ZIGZAG, DELTA, PALETTE, PRODUCT = range(1, 6)  # what stands for the numbers of a segment
FREE, GROWTH = 1 << 21, 100  # bytes that any file, and each byte of it, may unpack to


class Parts:
    """What a packed file consists of: numbers that say how to read the rest, bytes, codes."""

    def __init__(self, numbers: tuple[int, ...], data: bytes, most: int) -> None:
        self.most, raw, self.numbers = min(numbers[0], most), numbers[1], iter(numbers[2:])
        self.raw, self.codes, self.low, self.span = iter(data[:raw]), iter(data[raw:]), 0, 1
        self.tables, self.done = dict[int, dict[int, list[list[int]]]](), list[tuple[int, bytes]]()

    def symbol(self, sums: list[int]) -> int:
        """Takes the next symbol from the codes (a range decoder)."""
        while self.span < 1 << 48:
            self.span, self.low = self.span << 8, self.low << 8 | next(self.codes)
        found = bisect_right(sums, self.low // (unit := self.span // sums[256])) - 1
        self.span, self.low = unit * (sums[found + 1] - sums[found]), self.low - unit * sums[found]
        return found

    def plane(self, count: int, row: int) -> bytes:
        """Plain bytes, or symbols, each by the magnitudes before it in its row and column."""
        kind, base, shift, mean, group = islice(self.numbers, 5)
        tables, columns, out = self.tables.setdefault(group, {}), dict[int, int](), bytearray()
        for at in range(count if kind else 0):
            if not (place := at % row):
                before = across = mean
            level = 36 + (before + 4 * ((column := columns.get(place, mean)) + across) >> 4)
            bits = shift % 32 or level.bit_length() - 2
            level = level >> bits if shift else level >> bits & 1 | bits * 2  # half an octave each
            if level not in tables:  # for weights, counts as if some had come, of Student's t
                wide = 5 * ((level % 2 + 2 << bits) * 3 // 2) ** 2
                t = [(wide**3 << 24) // (wide + (144 * s - 18432) ** 2) ** 3 for s in range(256)]
                tables[level] = [[], [1 + (kind < 2) * (5 + 3200 * x // sum(t)) for x in t], [0, 0]]
            sums, counts, renewal = tables[level]
            if not renewal[0]:  # in so many symbols; so many came
                sums[:], uses = [0, *accumulate(counts)], min(4 + renewal[1] // 8, 256)
                renewal[:] = uses, uses + renewal[1]
            renewal[0] -= 1
            out.append(symbol := self.symbol(sums))
            counts[symbol] += 32
            before = abs(symbol - 128 * (kind < 3)) << 8
            columns[place] = column + (before - column >> 6)
            across += before - across >> 6
        return bytes((x + base) % 256 for x in out) if kind else bytes(islice(self.raw, count))

    def segment(self, count: int, row: int, form: int, width: int, more: int) -> bytes:
        """The bytes of so many numbers."""
        self.most -= (count + 1) * max(width, 1)
        planes = bytearray(count * width if self.most > 0 else -1)  # or an error
        if form == PALETTE:
            known = [one.to_bytes(width, "little") for one in islice(self.numbers, more)]
            return b"".join(known[index] for index in self.plane(count, row))
        if form == PRODUCT:  # of segment number `row` and the float32 whose bits `more` are
            kind, (factor,) = f"<{count}f", struct.unpack("<f", struct.pack("<I", more))
            return struct.pack(kind, *(x * factor for x in struct.unpack(kind, self.done[row][1])))
        top = planes[width - 1 :: width] = self.plane(count, row)
        for place in reversed(range(width - 1)):
            lower = iter(self.plane(count - more * top.count(0), row))
            planes[place::width] = bytes(0 if more and not high else next(lower) for high in top)
        whole = int.from_bytes(planes, "little")
        ones = int.from_bytes((b"\1" + bytes(width - 1)) * count, "little")
        if form == DELTA:
            whole = whole * ones % 256 ** len(planes)
        elif form:  # the lowest bit of each number is its sign
            flip = 256**width - 1 if form == ZIGZAG else 256**width // 2
            whole = (whole - (whole & ones) >> 1) ^ (whole & ones) * flip
        return whole.to_bytes(len(planes), "little")


def unpack(packed: bytes) -> bytes:
    """The .tflite file that was packed; a ValueError if `packed` is damaged, or no such file."""
    magic, check, digest, size, count = struct.unpack("<4s4s32s2I", packed[:48].ljust(48))
    if magic == MAGIC and hashlib.sha256(packed[8:]).digest()[:4] == check:
        most = FREE + GROWTH * len(packed)
        frame = lzma.LZMADecompressor(memlimit=1 << 28).decompress(packed[48:][:size], most)
        parts = Parts(struct.unpack_from(f"<{count}I", frame), packed[48 + size :], most)
        rest, out = iter(frame[4 * count :]), bytearray()
        for start in islice(parts.numbers, next(parts.numbers)):
            parts.done.append((start, parts.segment(*islice(parts.numbers, 5))))
        for start, data in [*sorted(parts.done), (1 << 32, b"")]:
            out += bytes(islice(rest, start - len(out))) + data
        if hashlib.sha256(out).digest() == digest:
            return bytes(out)
    raise ValueError("no .tflite.sqz file, or a damaged one: copy it again")
