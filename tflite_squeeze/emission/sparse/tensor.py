"""Sparse tensors of the schema: written from dense values, and turned back into dense ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tflite_squeeze.emission.sparse.layouts import Layout, integer_bytes, kept_blocks, rows_of
from tflite_squeeze.tflite.edits import new_buffer
from tflite_squeeze.tflite.fields import operator_name
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.tensor_values import tensor_values
from tflite_squeeze.tflite.tidy import tidied

Array = NDArray[Any]

_VECTORS = {
    1: (schema.SparseIndexVector.Uint8Vector, schema.Uint8VectorT, np.uint8),
    2: (schema.SparseIndexVector.Uint16Vector, schema.Uint16VectorT, np.uint16),
    4: (schema.SparseIndexVector.Int32Vector, schema.Int32VectorT, np.int32),
}


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A tensor in a sparse layout.

    Attributes:
        data: the values that are kept, as the buffer holds them.
        sparsity: the schema's table that says where they belong.
    """

    data: bytes
    sparsity: Any


def encoded(values: Array, layout: Layout) -> Encoded:
    """Writes a tensor in a sparse layout.

    Args:
        values: of any shape of the layout's size; -0.0 becomes 0.0 in the blocks that are kept.
        layout: the layout.

    Example:
        >>> encoded(np.float32([[0, 2], [0, 0]]), Layout(shape=(2, 2), order=(0, 1))).data.hex()
        '00000040'
    """
    rows = rows_of(values, layout)
    filled = kept_blocks(values, layout)
    ends = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
    levels = [_dense_level(layout.outer_shape[dimension]) for dimension in layout.order[:-1]]
    positions = np.nonzero(filled)[1]
    levels.append(_listed_level(ends, positions, layout))
    order, blocks = list(layout.order), []
    if layout.block > 1:
        order.append(len(layout.shape))
        blocks.append(layout.block_dimension)
        levels.append(_dense_level(layout.block))
    sparsity = schema.SparsityParametersT(
        traversalOrder=np.asarray(order, np.int32),
        blockMap=np.asarray(blocks, np.int32) if blocks else None,
        dimMetadata=levels,
    )
    kept = rows[filled] + rows.dtype.type(0)  # inside blocks too, -0.0 becomes 0.0
    return Encoded(data=kept.tobytes(), sparsity=sparsity)


def densified(tflite: bytes) -> bytes:
    """The same graph with dense weights: every sparse tensor written out, no DENSIFY left.

    Args:
        tflite: the file's content.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    for index, graph in enumerate(model.subgraphs):
        renamed: dict[int, int] = {}
        kept = []
        for operator in graph.operators:
            if operator_name(model, operator) != "DENSIFY":
                kept.append(operator)
                continue
            source = int(operator.inputs[0])
            _write_out(model, index, source)
            renamed[int(operator.outputs[0])] = source
        graph.operators = kept
        for operator in kept:
            operator.inputs = np.asarray(
                [renamed.get(int(at), int(at)) for at in operator.inputs], np.int32
            )
    return tidied(pack_model(model))


def _write_out(model: Any, subgraph: int, tensor: int) -> None:
    about = model.subgraphs[subgraph].tensors[tensor]
    values = tensor_values(model, subgraph, tensor)
    if about.sparsity is None or values is None:
        return
    about.buffer, about.sparsity = new_buffer(model, values), None


def _dense_level(size: int) -> Any:
    return schema.DimensionMetadataT(format=schema.DimensionType.DENSE, denseSize=size)


def _listed_level(ends: Array, positions: Array, layout: Layout) -> Any:
    ends_kind, ends_vector = _vector(ends, integer_bytes(len(positions)))
    positions_kind, positions_vector = _vector(positions, layout.index_bytes)
    return schema.DimensionMetadataT(
        format=schema.DimensionType.SPARSE_CSR,
        arraySegmentsType=ends_kind,
        arraySegments=ends_vector,
        arrayIndicesType=positions_kind,
        arrayIndices=positions_vector,
    )


def _vector(numbers: Array, item_bytes: int) -> tuple[int, Any]:
    kind, table, dtype = _VECTORS[item_bytes]
    return kind, table(values=numbers.astype(dtype))
