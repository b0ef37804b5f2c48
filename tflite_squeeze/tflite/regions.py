"""Where in a .tflite file its parts lie, byte by byte."""

from collections.abc import Collection, Iterator
from enum import IntEnum
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

Span = tuple[int, int]

_LENGTH_BYTES = 4  # a vector starts with its length


class Region(IntEnum):
    """What a byte of a file belongs to."""

    GRAPH = 0
    CONSTANTS = 1
    METADATA = 2
    QUANTIZATION = 3
    INDICES = 4
    WEIGHTS = 5


def region_bytes(tflite: bytes, weight_buffers: Collection[int]) -> dict[Region, int]:
    """How many bytes of a file belong to what; each byte to one region.

    Args:
        tflite: the content of a file that `read_model` accepts.
        weight_buffers: the buffers that hold weights; what else has data is a constant of the
            graph, such as the target of a RESHAPE.

    Returns:
        Bytes by region; they add up to the file's size. Indices are those of sparse tensors;
        tables, names and padding are the graph.
    """
    counts = np.bincount(region_marks(tflite, weight_buffers), minlength=len(Region))
    return {region: int(counts[region]) for region in Region}


def region_marks(tflite: bytes, weight_buffers: Collection[int]) -> NDArray[np.uint8]:
    """What each byte of a file belongs to.

    Args:
        tflite: the content of a file that `read_model` accepts.
        weight_buffers: the buffers that hold weights.

    Returns:
        A `Region` for every byte.
    """
    marks = np.full(len(tflite), Region.GRAPH, np.uint8)
    root = schema.Model.GetRootAs(tflite)
    spans: dict[Region, list[Span]] = {region: [] for region in Region}
    for index in range(root.BuffersLength()):
        region = Region.WEIGHTS if index in weight_buffers else Region.CONSTANTS
        spans[region] += data_span(root.Buffers(index))
    for index in range(root.MetadataLength()):
        entry = root.Metadata(index)
        spans[Region.METADATA] += [_table(entry), *vector_span(entry, 4, 1)]
        if entry.Buffer() not in weight_buffers:
            spans[Region.METADATA] += data_span(root.Buffers(entry.Buffer()))
    for graph in (root.Subgraphs(index) for index in range(root.SubgraphsLength())):
        for tensor in (graph.Tensors(index) for index in range(graph.TensorsLength())):
            spans[Region.QUANTIZATION] += _quantization(tensor.Quantization())
            spans[Region.INDICES] += _sparsity(tensor.Sparsity())
    for region in sorted(Region):  # whatever two regions claim goes to the later one
        for start, end in spans[region]:
            marks[start:end] = region
    return marks


def operator_table_bytes(tflite: bytes, subgraph: int, operator: int) -> int:
    """The bytes of an operator itself: its table, options, and lists of inputs and outputs.

    Args:
        tflite: the content of a file that `read_model` accepts.
        subgraph: the index of the subgraph.
        operator: the index of the operator in it.
    """
    table = schema.Model.GetRootAs(tflite).Subgraphs(subgraph).Operators(operator)
    spans = [
        _table(table),
        *vector_span(table, 6, 4),
        *vector_span(table, 8, 4),
        *vector_span(table, 14, 1),
    ]
    options = table.BuiltinOptions()
    if options is not None:
        spans.append(_span_of(options))
    return _total(spans)


def tensor_table_bytes(tflite: bytes, subgraph: int, tensor: int) -> int:
    """The bytes that describe a tensor: its table, name, shapes and quantization.

    Args:
        tflite: the content of a file that `read_model` accepts.
        subgraph: the index of the subgraph.
        tensor: the index of the tensor in it.
    """
    table = schema.Model.GetRootAs(tflite).Subgraphs(subgraph).Tensors(tensor)
    spans = [
        _table(table),
        *vector_span(table, 4, 4),
        *vector_span(table, 10, 1),
        *vector_span(table, 18, 4),
    ]
    return _total([*spans, *_quantization(table.Quantization())])


def _total(spans: list[Span]) -> int:
    return sum(end - start for start, end in spans)


def _table(table: Any) -> Span:
    return _span_of(table._tab)


def _span_of(table: Any) -> Span:
    """A table's own bytes; how many, its vtable says, which other tables may share."""
    vtable = table.Pos - int.from_bytes(
        table.Bytes[table.Pos : table.Pos + 4], "little", signed=True
    )
    size = int.from_bytes(table.Bytes[vtable + 2 : vtable + 4], "little")
    return table.Pos, table.Pos + size


def vector_span(table: Any, slot: int, item_bytes: int) -> Iterator[Span]:
    """A vector or string in a field of a table, with its length (4 bytes) in front; or nothing."""
    offset = table._tab.Offset(slot)
    if offset:
        start = table._tab.Vector(offset)
        yield start - _LENGTH_BYTES, start + table._tab.VectorLen(offset) * item_bytes


def data_span(buffer: Any) -> Iterator[Span]:
    """A buffer's data: a vector, with its length in front, or bytes behind the flatbuffer."""
    yield from vector_span(buffer, 4, 1)
    if buffer.Offset() > 1:
        yield buffer.Offset(), buffer.Offset() + buffer.Size()


def _quantization(quantization: Any) -> Iterator[Span]:
    if quantization is None:
        return
    yield _table(quantization)
    for slot, item_bytes in ((4, 4), (6, 4), (8, 4), (10, 8)):  # min, max, scale, zero point
        yield from vector_span(quantization, slot, item_bytes)


def _sparsity(sparsity: Any) -> Iterator[Span]:
    if sparsity is None:
        return
    yield _table(sparsity)
    for slot in (4, 6, 8):
        yield from vector_span(sparsity, slot, 4)
    for level in range(sparsity.DimMetadataLength()):
        yield _table(sparsity.DimMetadata(level))
    for table, item_bytes in _index_tables(sparsity):
        yield _span_of(table)
        yield from vector_span(_Held(table), 4, item_bytes)


def index_spans(sparsity: Any) -> Iterator[tuple[Span, int]]:
    """The vectors of indices of a sparse tensor, with their length in front, and bytes an index.

    Args:
        sparsity: the schema's table; None for a dense tensor, which has none.
    """
    for table, item_bytes in () if sparsity is None else _index_tables(sparsity):
        for span in vector_span(_Held(table), 4, item_bytes):
            yield span, item_bytes


def _index_tables(sparsity: Any) -> Iterator[tuple[Any, int]]:
    item_bytes = {
        schema.SparseIndexVector.Int32Vector: 4,
        schema.SparseIndexVector.Uint16Vector: 2,
        schema.SparseIndexVector.Uint8Vector: 1,
    }
    for level in (sparsity.DimMetadata(index) for index in range(sparsity.DimMetadataLength())):
        for kind, table in (
            (level.ArraySegmentsType(), level.ArraySegments()),
            (level.ArrayIndicesType(), level.ArrayIndices()),
        ):
            if table is not None and kind in item_bytes:
                yield table, item_bytes[kind]


class _Held:
    """A bare table, held as the generated classes hold theirs."""

    def __init__(self, table: Any) -> None:
        self._tab = table
