"""Chooses how a run of numbers is coded.

The other direction is `sqz_reader`: integers whose sizes are mixed from many contexts, which
takes a few decisions for each, or bytes whose frequencies are counted in tables, which is faster.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.packing import sqz_reader as reader
from tflite_squeeze.packing.spans import Numbers, Product, Span

Words = NDArray[np.unsignedinteger[Any]]
Integers = NDArray[np.int64]

_WIDEST = 4  # bytes of a number; wider ones are taken as halves
_MOST_VALUES = 256  # of a palette
_PALETTE_SHARE = 0.25  # how many values a palette may have, at most, for each number
_LEAST_GAIN = 0.99  # what a coded byte may take of a plain one
_MANY_ZEROS, _FEW_VALUES = 0.3, 64


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a run of numbers is coded.

    Attributes:
        coding: mixed, by tables, or raw.
        flags: what stands for the numbers.
        width: bytes of a number.
        count: how many numbers.
        row: how many numbers lie between those of neighbouring channels; 0 for a single row.
        step: a distance at which sizes are alike; 0 for none.
        zero: what stands for 0; of products, how far back the other factors are.
        palette: the values that occur.
        factor: the bits of the number that others are multiplied with.
        about: further numbers of the coding.
        values: the integers, or the bytes to be coded in the reader's order.
    """

    coding: int
    flags: int = 0
    width: int
    count: int
    row: int = 0
    step: int = 0
    zero: int = 0
    palette: tuple[int, ...] = ()
    factor: int = 0
    about: tuple[int, ...] = ()
    values: Integers

    @property
    def decisions(self) -> int:
        """How many decisions a mixed form takes, about."""
        if self.coding != reader.MIXED:
            return 0
        lengths = np.frexp(np.abs(self.values).astype(np.float64))[1]
        return len(self.values) + 2 * int(lengths.sum())


def mixed_form(tflite: bytes, span: Span) -> Form | None:
    """The form of a run of numbers as mixed integers; None where it has too many values.

    Args:
        tflite: the file's content.
        span: where the numbers are.
    """
    numbers, span = _numbers(tflite, span)
    unsigned = span.numbers is Numbers.INDICES
    signed = numbers.view(f"<{'u' if unsigned else 'i'}{span.width}").astype(np.int64)
    found = _palette(numbers, span)
    if found is None and span.numbers in (Numbers.WEIGHTS, Numbers.INTEGERS, Numbers.INDICES):
        if span.numbers is Numbers.WEIGHTS:
            signed = (signed - span.zero + 128) % 256 - 128
        found = Form(coding=reader.MIXED, zero=span.zero, values=signed, **_common(span))
        rising = replace(
            found, flags=reader.DELTA, row=0, zero=0, values=np.diff(signed, prepend=0)
        )
        if span.numbers is not Numbers.WEIGHTS and rising.decisions < 0.8 * found.decisions:
            return rising
    return None if found is None else replace(found, step=_step(found.values, span.row))


def table_form(tflite: bytes, span: Span) -> Form:
    """The form of a run of numbers as bytes by tables, or raw where that gains nothing.

    Args:
        tflite: the file's content.
        span: where the numbers are.
    """
    numbers, span = _numbers(tflite, span)
    few = _palette(numbers, span) if span.width > 1 else None
    if few is not None:
        return _around(few.values + few.zero, few.zero, bell=False, form=few)
    if span.numbers is Numbers.WEIGHTS:
        # What is known of weights, their bell shape, does not hold for pruned or shared ones.
        zeros = np.count_nonzero(numbers == span.zero) / len(numbers)
        bell = zeros < _MANY_ZEROS and len(np.unique(numbers)) > _FEW_VALUES
        form = Form(coding=reader.TABLE, values=np.zeros(0, np.int64), **_common(span))
        return _worth(_around(numbers.astype(np.int64), span.zero, bell=bell, form=form), numbers)
    return _worth(_by_place(numbers, span), numbers)


def product_form(tflite: bytes, product: Product) -> tuple[int, Form] | None:
    """Scales as products of others before them in the file; None where they are not.

    Args:
        tflite: the file's content.
        product: where the scales, the others, and the number between them are.

    Returns:
        Where the scales begin, and their form.
    """
    first, second = sorted((product.start, product.source))
    factor = np.frombuffer(tflite, "<f4", 1, product.factor)
    if first != product.source:
        with np.errstate(divide="ignore", over="ignore"):
            factor = np.float32(1) / factor
    one, other = (np.frombuffer(tflite, "<f4", product.count, at) for at in (second, first))
    distance = second - first
    if not 4 <= distance <= reader.RING - 4 or not np.all((other > 1e-30) & (other < 1e30)):
        return None
    if not 1e-7 < factor[0] < 1e7:
        return None
    off = one.view("<i4").astype(np.int64) - (other * factor).view("<i4")
    if np.abs(off).max() > 16:
        return None
    return second, Form(
        coding=reader.MIXED, flags=reader.PRODUCT, width=4, count=product.count, zero=distance,
        factor=int(factor.view("<u4")[0]), values=off,
    )  # fmt: skip


def _numbers(tflite: bytes, span: Span) -> tuple[Words, Span]:
    if span.width > _WIDEST:
        parts = span.width // _WIDEST
        kind = Numbers.BYTES if span.numbers is Numbers.REALS else span.numbers
        row = min(span.row * parts, 2**31)
        span = replace(span, width=_WIDEST, row=row, numbers=kind)
    return np.frombuffer(tflite, f"<u{span.width}", span.count, span.start), span


def _common(span: Span) -> dict[str, Any]:
    row = span.row if span.row < span.count else 0
    return {"width": span.width, "count": span.count, "row": row}


def _palette(numbers: Words, span: Span) -> Form | None:
    """Each number by its place among the few that occur, counted from that of 0."""
    values, places = np.unique(numbers, return_inverse=True)
    most = min(_MOST_VALUES, int(_PALETTE_SHARE * len(numbers) / span.width))
    if len(values) > most or span.numbers in (Numbers.BYTES, Numbers.INDICES):
        return None
    if span.numbers is not Numbers.REALS and not _spread(values, span):
        return None
    order = np.argsort(_signed(values, span), kind="stable")
    ordered = values[order].tolist()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    zero = ordered.index(span.zero) if span.zero in ordered else len(ordered) // 2
    return Form(
        coding=reader.MIXED, flags=reader.PALETTE, zero=zero, palette=tuple(ordered),
        values=rank[places.reshape(-1)] - zero, **_common(span),
    )  # fmt: skip


def _spread(values: Words, span: Span) -> bool:
    """Whether values lie so far apart that a list of them is worth its bytes."""
    signed = _signed(values, span)
    return bool(span.width > 1 and np.ptp(signed) > 64 * len(values))


def _signed(values: Words, span: Span) -> Integers:
    """Integers in the order of the numbers."""
    if span.numbers is Numbers.WEIGHTS:
        return (values.astype(np.int64) - span.zero + 128) % 256
    signed = values.view(f"<i{span.width}").astype(np.int64)
    if span.numbers is not Numbers.REALS:
        return signed
    return np.where(signed < 0, -1 - signed - 2 ** (8 * span.width - 1), signed)


def _step(values: Integers, row: int) -> int:
    """The distance, other than 1 and a row, at which sizes are most alike."""
    sizes = np.minimum(np.abs(values), 32).astype(np.float64)
    most = min(row - 1, len(values) // 4, reader.RING - 2)
    if most < 3:
        return 0
    padded = 1 << (2 * len(sizes) - 1).bit_length()
    spectrum = np.fft.rfft(sizes - sizes.mean(), padded)
    alike = np.fft.irfft(np.abs(spectrum) ** 2, padded)[2 : most + 1]
    return 2 + int(np.argmax(alike))


def _around(values: Integers, zero: int, *, bell: bool, form: Form) -> Form:
    symbols = (values - zero + 128) % 256
    mean = round(256 * float(np.abs(symbols - 128).mean()))
    flags = form.flags | (reader.BELL if bell else 0)
    return replace(
        form, coding=reader.TABLE, flags=flags, zero=zero, about=(0, mean, 0), values=symbols
    )


def _by_place(numbers: Words, span: Span) -> Form:
    """Each number byte by byte, the highest first."""
    flags, turned = _turned(numbers, span)
    places = turned.view(np.uint8).reshape(-1, span.width)[:, ::-1].astype(np.int64)
    top = places[:, 0]
    kept = np.ones(places.shape, bool)
    if span.width > 1 and not top.all() and not places[top == 0, 1:].any():
        flags |= reader.SKIPS
        kept[top == 0, 1:] = False
    lower = sum(
        1 << k for k in range(span.width - 1) if _order_0(places[kept[:, k + 1], k + 1]) < 1
    )
    least = int(top[top > 0].min(initial=255))
    zero = max(least - 1, 0)
    classes = min(max(len(top).bit_length() // 2 - 3, 0), 5)
    shift = max((144 * max(int(top.max()) - zero, 1)).bit_length() - classes, 1)
    if span.numbers is Numbers.BYTES:
        shift = 20
    mean = round(256 * float(np.maximum(top - zero, 0).mean()))
    return Form(
        coding=reader.TABLE, flags=flags, zero=zero, about=(shift, mean, lower),
        values=places[kept], **_common(span),
    )  # fmt: skip


def _turned(numbers: Words, span: Span) -> tuple[int, Words]:
    """Numbers whose highest bytes say how large they are, and the name of what was done."""
    signs = numbers >> (8 * span.width - 1)
    if span.numbers is Numbers.REALS:
        return reader.REALS, np.ascontiguousarray(numbers << 1 | signs)
    if span.numbers is Numbers.INTEGERS:
        return reader.SIGNED, np.ascontiguousarray(numbers << 1 ^ (0 - signs))
    if span.numbers is Numbers.INDICES:
        return reader.DELTA, np.diff(numbers, prepend=numbers.dtype.type(0))
    return 0, numbers


def _order_0(values: Integers) -> float:
    """What bytes take as their entropy with a table, of what they take plainly."""
    if not len(values):
        return 1.0
    shares = np.bincount(values, minlength=256) / len(values)
    bits = -float((shares[shares > 0] * np.log2(shares[shares > 0])).sum())
    return (bits + 8 * np.count_nonzero(shares) / len(values)) / 8 / _LEAST_GAIN


def _worth(form: Form, numbers: Words) -> Form:
    """A form by tables, or raw where no byte gains from them."""
    content = np.frombuffer(numbers.tobytes(), np.uint8).astype(np.int64)
    if form.about[2] == 0 and form.width == 1 and _order_0(content) >= 1:
        return replace(form, coding=reader.RAW, flags=0, zero=0, about=(), values=content)
    return form
