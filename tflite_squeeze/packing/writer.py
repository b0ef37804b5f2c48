"""Writes the packed form; `sqz_reader` reads it.

The writer lists the decisions that a reader takes; the reader's own functions, told to write,
turn the list into codes with the same probabilities.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.packing import sqz_reader as reader
from tflite_squeeze.packing.compiled import array_of, run_whole
from tflite_squeeze.packing.forms import Form

Decisions = NDArray[np.int64]
_HEADER_BYTES = 12


def number_decisions(value: int) -> list[int]:
    """What `number` decides of a number from 0."""
    length = (value + 1).bit_length() - 1
    rest = [value + 1 >> length - 1 - k & 1 for k in range(length)]
    return [1] * length + [0] + rest


def integer_decisions(values: NDArray[np.int64]) -> Decisions:
    """What `integer` decides of integers, one after the other."""
    sizes = np.abs(values)
    lengths = np.frexp(np.maximum(sizes, 1).astype(np.float64))[1] - 1
    open_end = lengths < reader.CLASSES - 1
    counts = np.where(values == 0, 1, 2 * lengths + 2 + open_end)
    ends = np.cumsum(counts)
    starts = ends - counts
    found = np.zeros(int(ends[-1]), np.int64)
    for length in np.unique(lengths[values != 0]):
        chosen = (lengths == length) & (values != 0)
        at, size = starts[chosen], sizes[chosen]
        for k in range(length + 1):
            found[at + k] = 1
        at = at + length + 1 + (length < reader.CLASSES - 1)
        for k in range(length):
            found[at + k] = size >> length - 1 - k & 1
        found[at + length] = values[chosen] < 0
    return found


class Writer:
    """Lists the decisions of a file, in its order.

    Args:
        tflite: the file's content.
    """

    def __init__(self, tflite: bytes) -> None:
        self._tflite = tflite
        self._parts: list[Decisions] = []
        self._at = 0
        self._tables = False

    def add(self, start: int, form: Form) -> None:
        """Adds a run of numbers, and the frame's bytes in front of it."""
        self._frame(start)
        about = form.about
        length = int.from_bytes(self._tflite[start - 4 : start], "little") // form.width
        flags = form.flags
        if form.coding == reader.TABLE:
            flags |= reader.KEEP if self._tables else 0
            self._tables = True
        count = 0 if length == form.count else form.count
        self._numbers(form.coding, flags, form.width.bit_length() - 1, count)
        self._numbers(form.row, form.step, form.zero)
        if flags & reader.PRODUCT:
            self._parts.append(np.array([form.factor >> 16, form.factor & 0xFFFF]))
        if flags & reader.PALETTE:
            self._numbers(len(form.palette))
            whole = b"".join(one.to_bytes(form.width, "big") for one in form.palette)
            self._parts.append(np.frombuffer(whole, np.uint8).astype(np.int64))
        self._numbers(*about)
        self._parts.append(
            integer_decisions(form.values) if form.coding == reader.MIXED else form.values
        )
        self._at = start + form.count * form.width

    def content(self) -> bytes:
        """The packed file."""
        self._frame(len(self._tflite))
        given = np.concatenate(self._parts)
        state = reader.state(run_whole, array_of, len(self._tflite))
        state[reader.CODES] = array_of([0] * (2 * len(self._tflite) + 1024))
        state[reader.GIVEN] = array_of(given.tolist())
        state[reader.REGISTERS][reader.WRITES] = 1
        run_whole(tuple(state))
        size, length = len(self._tflite), bytearray()
        while size > 127:
            length.append(size & 127 | 128)
            size >>= 7
        digest = hashlib.sha256(self._tflite).digest()[:8]
        return reader.MAGIC + digest + bytes([*length, size]) + _finished(state)

    def _frame(self, end: int) -> None:
        self._numbers(end - self._at)
        self._parts.append(_bits(self._tflite[self._at : end]))

    def _numbers(self, *values: int) -> None:
        for value in values:
            self._parts.append(np.array(number_decisions(value), np.int64))


def _bits(data: bytes) -> Decisions:
    return np.unpackbits(np.frombuffer(data, np.uint8)).astype(np.int64)


def _finished(state: list[list[int]]) -> bytes:
    """The codes, with as few bytes at their end as tell the last interval."""
    registers, codes = state[reader.REGISTERS], state[reader.CODES]
    low, span, at = (int(registers[k]) for k in (reader.LOW, reader.SPAN, reader.AT))
    out = bytes(list(codes[:at]))
    for bits in range(48, -8, -8):
        rounded = low + (1 << bits) - 1 >> bits << bits if bits >= 0 else low
        if rounded < low + span:
            low = rounded
            break
    whole = (int.from_bytes(out, "big") << 56) + low
    # The first byte is always 0: readers start without it.
    return whole.to_bytes(len(out) + 7, "big")[1:].rstrip(b"\0")
