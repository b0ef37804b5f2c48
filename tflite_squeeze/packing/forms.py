"""The encoded form of a span's numbers: planes of bytes that compress well.

The other direction is `sqz_reader`.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.packing.spans import Numbers, Span
from tflite_squeeze.packing.sqz_reader import DELTA, PALETTE, ROTATED, ZIGZAG

Bytes = NDArray[np.uint8]
Words = NDArray[np.unsignedinteger[Any]]

PLAIN = 0
RAW, WEIGHTS, AROUND_ZERO, FROM_ZERO = range(4)  # how a plane is written
_MOST_VALUES = (128, 256)  # of a palette: bytes, wider numbers
_WIDEST_VALUE = 4  # bytes
_CLASS_BITS = 5  # magnitudes are sorted into at most so many classes: 2 to the power of it
_PALETTE_BYTES = 0.3  # what a value costs beside its own bytes
_MANY_ZEROS, _FEW_VALUES = 0.3, 64
_PRIOR = 1 / 32  # what a symbol counts before it came, as the reader has it


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Bytes of one place of all numbers, and how they are written.

    Attributes:
        symbols: what is coded, or the bytes themselves where that gains nothing.
        kind: raw, or coded: as weights, as numbers around 0, as numbers from 0.
        base: what is added to a symbol to get the byte.
        shift: how coarse the classes of magnitudes are; 0 for half octaves.
        mean: the mean magnitude, in 1/256.
    """

    symbols: Bytes
    kind: int
    base: int = 0
    shift: int = 0
    mean: int = 0


@dataclass(frozen=True, kw_only=True)
class Form:
    """The encoded form of a span's numbers.

    Attributes:
        form: one of the reader's forms, or plain.
        more: whether numbers without a highest byte are left out of lower planes; of a palette,
            how many values it has.
        palette: these values.
        planes: the highest bytes first.
    """

    form: int
    more: int = 0
    palette: tuple[int, ...] = ()
    planes: tuple[Plane, ...]

    @property
    def bytes(self) -> float:
        """About how many bytes this takes."""
        coded = sum(_bytes_of(plane) for plane in self.planes)
        return coded + sum(_PALETTE_BYTES + (value.bit_length() + 7) // 8 for value in self.palette)


def form_of(tflite: bytes, span: Span) -> Form:
    """Chooses the encoded form of a span's numbers.

    Args:
        tflite: the file's content.
        span: where the numbers are.
    """
    numbers = np.frombuffer(tflite, f"<u{span.width}", span.count, span.start)
    form = _by_place(numbers, span)
    values, places = np.unique(numbers, return_inverse=True)
    if span.width <= _WIDEST_VALUE and len(values) <= _MOST_VALUES[span.width > 1]:
        few = _palette(values, places.reshape(-1), span)
        return min(form, few, key=lambda one: one.bytes)
    return form


def _palette(values: Words, places: NDArray[np.intp], span: Span) -> Form:
    """Each number by its place among the few that occur, counted from that of 0."""
    order = np.argsort(_signed(values, span), kind="stable")
    ordered = values[order].tolist()
    rank = np.empty(len(order), np.uint8)
    rank[order] = np.arange(len(order))
    zero = ordered.index(span.zero) if span.zero in ordered else len(ordered) // 2
    plane = _around(rank[places], zero, AROUND_ZERO)
    return Form(form=PALETTE, more=len(ordered), palette=tuple(ordered), planes=(plane,))


def _signed(values: Words, span: Span) -> NDArray[np.int64]:
    """Integers in the order of the numbers."""
    if span.numbers is Numbers.WEIGHTS:
        return (values.astype(np.int64) - span.zero + 128) % 256
    signed = values.view(f"<i{span.width}").astype(np.int64)
    if span.numbers is not Numbers.REALS:
        return signed
    return np.where(signed < 0, -1 - signed - 2 ** (8 * span.width - 1), signed)


def _by_place(numbers: Words, span: Span) -> Form:
    """Each number byte by byte."""
    if span.numbers is Numbers.WEIGHTS:
        # What is known of weights, their bell shape, does not hold for pruned or shared ones.
        zeros = np.count_nonzero(numbers == span.zero) / len(numbers)
        usual = zeros < _MANY_ZEROS and len(np.unique(numbers)) > _FEW_VALUES
        kind = WEIGHTS if usual else AROUND_ZERO
        return Form(form=PLAIN, planes=(_around(numbers.astype(np.uint8), span.zero, kind),))
    form, turned = _turned(numbers, span)
    places = turned.view(np.uint8).reshape(-1, span.width)[:, ::-1].T
    top = places[0]
    skips = span.width > 1 and not top.all() and not places[1:, top == 0].any()
    lower = places[1:, top != 0] if skips else places[1:]
    planes = tuple(_from_zero(np.ascontiguousarray(place)) for place in (top, *lower))
    return Form(form=form, more=int(skips), planes=planes)


def _turned(numbers: Words, span: Span) -> tuple[int, Words]:
    """Numbers whose highest bytes say how large they are, and the name of what was done."""
    signs = numbers >> (8 * span.width - 1)
    if span.numbers is Numbers.REALS:
        return ROTATED, np.ascontiguousarray(numbers << 1 | signs)
    if span.numbers is Numbers.INTEGERS:
        return ZIGZAG, np.ascontiguousarray(numbers << 1 ^ (0 - signs))
    if span.numbers is Numbers.INDICES:
        # As one large integer, less itself shifted by a number: what the reader multiplies back.
        whole = int.from_bytes(numbers.tobytes(), "little")
        steps = (whole - (whole << 8 * span.width)) % 256**span.size
        return DELTA, np.frombuffer(steps.to_bytes(span.size, "little"), numbers.dtype)
    return PLAIN, numbers


def _around(values: Bytes, zero: int, kind: int) -> Plane:
    symbols = ((values.astype(np.int64) - zero + 128) % 256).astype(np.uint8)
    mean = 256 * float(np.abs(symbols.astype(np.int64) - 128).mean())
    coded = Plane(symbols=symbols, kind=kind, base=(zero - 128) % 256, mean=round(mean))
    return _better(coded, values)


def _from_zero(values: Bytes) -> Plane:
    if not len(values):
        return Plane(symbols=values, kind=RAW)
    width = int(values.max()) - int(values[values > 0].min(initial=255))
    classes = min(max(len(values).bit_length() // 2 - 3, 0), _CLASS_BITS)
    shift = max((144 * max(width, 1)).bit_length() - classes, 1)
    mean = 256 * float(values.mean())
    return _better(Plane(symbols=values, kind=FROM_ZERO, shift=shift, mean=round(mean)), values)


def _better(coded: Plane, values: Bytes) -> Plane:
    """A plane coded, or raw where that gains nothing."""
    return coded if _bytes_of(coded) < len(values) else Plane(symbols=values, kind=RAW)


def _bytes_of(plane: Plane) -> float:
    """About what a plane takes: an adaptive coder's bytes without contexts.

    Reference: Krichevsky and Trofimov 1981. Weights start from what is known of weights.
    """
    if plane.kind == RAW:
        return len(plane.symbols)
    counts = np.bincount(plane.symbols, minlength=256)
    if plane.kind == WEIGHTS:
        shares = counts[counts > 0] / len(plane.symbols)
        return float(-(shares * np.log2(shares)).sum() * len(plane.symbols)) / 8
    each = sum(math.lgamma(n + _PRIOR) - math.lgamma(_PRIOR) for n in counts[counts > 0].tolist())
    total = math.lgamma(len(plane.symbols) + 256 * _PRIOR) - math.lgamma(256 * _PRIOR)
    return (total - each) / math.log(2) / 8
