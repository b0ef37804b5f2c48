"""Where a .tflite file holds long runs of numbers, and of which kind, for the packed form."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from tflite_squeeze.tflite.fields import dtype_name, integers
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.regions import (
    data_span,
    index_spans,
    vector_span,
)

_LEAST_BYTES = 64  # what is shorter is packed together with the frame
_LEAST_SCALES = 24
_WIDTHS = {
    "bool": 1, "int8": 1, "uint8": 1, "int4": 1, "uint4": 1, "int2": 1, "float16": 2, "bfloat16": 2,
    "int16": 2, "uint16": 2, "float32": 4, "int32": 4, "uint32": 4, "float64": 8, "int64": 8,
    "uint64": 8,
}  # fmt: skip


class Numbers(Enum):
    """What the numbers of a span are."""

    WEIGHTS = "integers of one byte around a zero point"
    REALS = "floating point"
    INTEGERS = "wider integers around 0"
    INDICES = "rising integers"
    BYTES = "anything else of one byte"


@dataclass(frozen=True, kw_only=True)
class Span:
    """Numbers that lie side by side in a file.

    Attributes:
        start: the first byte.
        size: how many bytes.
        width: bytes of a number.
        numbers: what they are.
        row: how many numbers lie between those of neighbouring channels; at least 1.
        zero: the byte that stands for 0, of weights.
    """

    start: int
    size: int
    width: int
    numbers: Numbers
    row: int
    zero: int = 0

    @property
    def count(self) -> int:
        """How many numbers."""
        return self.size // self.width


@dataclass(frozen=True, kw_only=True)
class Product:
    """Scales that are those of another span times one number: a bias's, of weights and input.

    Attributes:
        start: the first byte.
        source: the first byte of the scales that are multiplied.
        factor: the first byte of the one scale that they are multiplied with.
        count: how many scales.
    """

    start: int
    source: int
    factor: int
    count: int


def spans_of(tflite: bytes) -> list[Span]:
    """The long runs of numbers in a file, in order, none overlapping another.

    Args:
        tflite: the file's content.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> [span.numbers.name for span in spans_of(tflite)]
        ['INTEGERS', 'WEIGHTS', 'REALS']
    """
    model = read_model(tflite)
    root = schema.Model.GetRootAs(tflite)
    found: list[Span] = []
    for graph in range(root.SubgraphsLength()):
        for index in range(root.Subgraphs(graph).TensorsLength()):
            tensor = root.Subgraphs(graph).Tensors(index)
            about = model.subgraphs[graph].tensors[index]
            found += _data(root.Buffers(tensor.Buffer()), about)
            found += _scales(tensor.Quantization())
            for (start, end), width in index_spans(tensor.Sparsity()):
                found.append(_run(start + 4, end, width, Numbers.INDICES))
    return _apart(found)


def products_of(tflite: bytes) -> list[Product]:
    """The scales of biases: those of the weights times that of the input, as kernels want it.

    Args:
        tflite: the content of a file that `read_model` accepts.
    """
    root = schema.Model.GetRootAs(tflite)
    found = {}
    for graph in (root.Subgraphs(at) for at in range(root.SubgraphsLength())):
        for operator in (graph.Operators(at) for at in range(graph.OperatorsLength())):
            inputs = integers(operator.InputsAsNumpy() if operator.InputsLength() else None)[:3]
            if len(inputs) < 3 or min(inputs) < 0:
                continue
            spans = [list(_scale_span(graph.Tensors(at).Quantization())) for at in inputs]
            if not all(spans):
                continue
            (factor, _), (source, source_end), (start, end) = (span[0] for span in spans)
            if end - start == source_end - source and start not in (source, factor):
                found[start] = Product(
                    start=start, source=source, factor=factor, count=(end - start) // 4
                )
    return list(found.values())


def _data(buffer: Any, about: Any) -> Iterator[Span]:
    width = _WIDTHS.get(dtype_name(about))
    for start, end in data_span(buffer):
        # The first four bytes of a vector are its length; data behind the flatbuffer has none.
        first = start if start == buffer.Offset() else start + 4
        if width is not None and end - first >= max(_LEAST_BYTES, width):
            yield _run(first, end, width, _kind(about, width), _row(about), _zero(about))


def _kind(about: Any, width: int) -> Numbers:
    name = dtype_name(about)
    if "float" in name:
        return Numbers.REALS
    if width > 1:
        return Numbers.INTEGERS
    return Numbers.WEIGHTS if name in ("int8", "uint8") else Numbers.BYTES


def _row(about: Any) -> int:
    """Weights of a channel lie together, but those of a depthwise convolution lie apart."""
    shape = integers(about.shape)
    if about.sparsity is not None or len(shape) < 2:
        return 2**31
    return max(math.prod(shape[1:]) if shape[0] != 1 else shape[-1], 1)


def _zero(about: Any) -> int:
    points = None if about.quantization is None else about.quantization.zeroPoint
    return int(points[0]) % 256 if points is not None and len(points) else 0


def _scale_span(quantization: Any) -> Iterator[tuple[int, int]]:
    if quantization is not None:
        for start, end in vector_span(quantization, 8, 4):
            yield start + 4, end


def _scales(quantization: Any) -> Iterator[Span]:
    for start, end in _scale_span(quantization):
        if end - start >= 4 * _LEAST_SCALES:
            yield _run(start, end, 4, Numbers.REALS)


def _run(
    start: int, end: int, width: int, numbers: Numbers, row: int = 2**31, zero: int = 0
) -> Span:
    size = (end - start) // width * width
    return Span(start=start, size=size, width=width, numbers=numbers, row=row, zero=zero)


def _apart(found: list[Span]) -> list[Span]:
    """The spans in order, without those that begin inside another one."""
    kept: list[Span] = []
    for span in sorted(found, key=lambda one: (one.start, -one.size)):
        if not kept or span.start >= kept[-1].start + kept[-1].size:
            kept.append(span)
    return kept
