"""Checks that every index in a .tflite file is valid before it is followed."""

from collections.abc import Iterator, Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema

# Where an operator's options name subgraphs.
_SUBGRAPH_FIELDS = (
    "condSubgraphIndex", "bodySubgraphIndex", "thenSubgraphIndex", "elseSubgraphIndex",
    "initSubgraphIndex", "subgraph", "decompositionSubgraphIndex", "bodySubgraphIndex",
    "updateComputationSubgraphIndex", "comparatorSubgraphIndex",
)  # fmt: skip
_KNOWN_TYPES = {value for value in vars(schema.TensorType).values() if isinstance(value, int)}
_MOST_DIMENSIONS = 32  # as many as NumPy has; LiteRT's kernels have far fewer
_DENSE, _CSR = schema.DimensionType.DENSE, schema.DimensionType.SPARSE_CSR


class Damaged(Exception):  # noqa: N818  # it is what the file is
    """The file contradicts itself; the message says where."""


class _Budget:
    """The number of tables that a file may still unpack to: references must not be endless."""

    def __init__(self, size_bytes: int) -> None:
        # A table takes 8 bytes and nobody shares them; strings may be shared, but not often.
        self._tables, self._text_bytes = size_bytes // 8, 16 * size_bytes

    def table(self, *strings: Any) -> None:
        self._tables -= 1
        self._text_bytes -= sum(len(string) for string in strings if string is not None)
        if self._tables < 0 or self._text_bytes < 0:
            raise Damaged("it holds more tables than fit into its size")


def check_tables(root: Any, size_bytes: int) -> None:
    """Counts the tables of a flatbuffer before they are unpacked.

    A few bytes can describe endless work: vectors of tables that all are the same table, each
    with a vector of its own. No file that a converter wrote does that.

    Args:
        root: the schema's Model table.
        size_bytes: the file's size.

    Raises:
        Damaged: it holds more than fits into its size.
    """
    budget = _Budget(size_bytes)
    budget.table(root.Description())
    for index in range(root.OperatorCodesLength()):
        budget.table(root.OperatorCodes(index).CustomCode())
    for _ in range(root.BuffersLength()):
        budget.table()
    for index in range(root.MetadataLength()):
        budget.table(root.Metadata(index).Name())
    for index in range(root.ExternalBufferGroupsLength()):
        budget.table(root.ExternalBufferGroups(index).Name())
    for index in range(root.ExternalBuffersLength()):
        budget.table(root.ExternalBuffers(index).Packing())
    for index in range(root.SignatureDefsLength()):
        _count_signature(root.SignatureDefs(index), budget)
    for index in range(root.SubgraphsLength()):
        _count_subgraph(root.Subgraphs(index), budget)


def _count_signature(signature: Any, budget: _Budget) -> None:
    budget.table(signature.SignatureKey())
    for index in range(signature.InputsLength()):
        budget.table(signature.Inputs(index).Name())
    for index in range(signature.OutputsLength()):
        budget.table(signature.Outputs(index).Name())


def _count_subgraph(subgraph: Any, budget: _Budget) -> None:
    budget.table(subgraph.Name())
    for _ in range(subgraph.OperatorsLength()):
        budget.table()
    for index in range(subgraph.TensorsLength()):
        tensor = subgraph.Tensors(index)
        budget.table(tensor.Name())
        sparsity = tensor.Sparsity()
        for _ in range(0 if sparsity is None else sparsity.DimMetadataLength()):
            budget.table()
        for _ in range(tensor.VariantTensorsLength()):
            budget.table()


def check_indexes(model: Any) -> None:
    """Checks that every index of an unpacked file leads to something.

    Args:
        model: the schema's object model; vectors that every file has become lists if missing.

    Raises:
        Damaged: an index leads nowhere, or a value has no meaning.
    """
    model.operatorCodes = model.operatorCodes or []
    model.buffers = model.buffers or []
    if not model.subgraphs:
        raise Damaged("it has no subgraph")
    for subgraph in model.subgraphs:
        _check_subgraph(model, subgraph)
    _check_calls(model)
    for signature in model.signatureDefs or []:
        _check(signature.subgraphIndex, len(model.subgraphs), "a signature's subgraph")
        tensors = model.subgraphs[signature.subgraphIndex].tensors
        for endpoint in [*(signature.inputs or []), *(signature.outputs or [])]:
            _check(endpoint.tensorIndex, len(tensors), "a signature's tensor")
    for entry in model.metadata or []:
        _check(entry.buffer, len(model.buffers), "a metadata entry's buffer")


def _check_subgraph(model: Any, subgraph: Any) -> None:
    subgraph.tensors, subgraph.operators = subgraph.tensors or [], subgraph.operators or []
    count = len(subgraph.tensors)
    for tensor in subgraph.tensors:
        _check(tensor.buffer, len(model.buffers), "a tensor's buffer")
        _check_tensor(tensor)
    _check_all(subgraph.inputs, count, "an input of a subgraph")
    _check_all(subgraph.outputs, count, "an output of a subgraph")
    for operator in subgraph.operators:
        _check(operator.opcodeIndex, len(model.operatorCodes), "an operator's code")
        # -1 stands for an input that is left out.
        _check_all(operator.inputs, count, "an operator's input", lowest=-1)
        _check_all(operator.outputs, count, "an operator's output")
        _check_all(operator.intermediates, count, "an operator's intermediate", lowest=-1)
        for index in _called(operator):
            _check(index, len(model.subgraphs), "a called subgraph")


def _called(operator: Any) -> Iterator[int]:
    """The subgraphs that an operator names."""
    for options in (operator.builtinOptions, operator.builtinOptions2):
        for field in _SUBGRAPH_FIELDS:
            index = getattr(options, field, None)
            if index is not None:
                yield index


def _run_by(operator: Any) -> Iterator[int]:
    """The subgraphs that an operator runs; 0 is also what stands where none is named."""
    controls = hasattr(operator.builtinOptions, "condSubgraphIndex") or hasattr(
        operator.builtinOptions, "thenSubgraphIndex"
    )
    return (index for index in _called(operator) if index > 0 or controls)


def _check_calls(model: Any) -> None:
    """A subgraph that runs itself, directly or not, never ends."""
    calls = [
        {index for operator in subgraph.operators for index in _run_by(operator)}
        for subgraph in model.subgraphs
    ]
    callers = [0] * len(calls)
    for called in calls:
        for index in called:
            callers[index] += 1
    free, left = [index for index, count in enumerate(callers) if not count], len(calls)
    while free:
        left -= 1
        for index in calls[free.pop()]:
            callers[index] -= 1
            if not callers[index]:
                free.append(index)
    if left:
        circle = [index for index, count in enumerate(callers) if count]
        raise Damaged(f"its subgraph {circle[0]} runs itself")


def _check_tensor(tensor: Any) -> None:
    if tensor.type not in _KNOWN_TYPES:
        raise Damaged(f"a tensor has the unknown type {tensor.type}")
    for shape in (tensor.shape, tensor.shapeSignature):
        if shape is None:
            continue
        if len(shape) > _MOST_DIMENSIONS:
            raise Damaged(f"a tensor has {len(shape)} dimensions")
        if any(size < -1 for size in shape):
            raise Damaged(f"a tensor has the dimension {min(shape)}")
    rank = 0 if tensor.shape is None else len(tensor.shape)
    quantization = tensor.quantization
    if quantization is not None and quantization.scale is not None and len(quantization.scale) > 1:
        _check(quantization.quantizedDimension, rank, "a tensor's quantized dimension")
        channels = tensor.shape[quantization.quantizedDimension]
        if channels not in (-1, len(quantization.scale)):
            raise Damaged(f"a tensor has {len(quantization.scale)} scales for {channels} channels")
    if tensor.sparsity is not None:
        _check_sparsity(tensor.sparsity, rank)


def _check_sparsity(sparsity: Any, rank: int) -> None:
    order = [] if sparsity.traversalOrder is None else [int(at) for at in sparsity.traversalOrder]
    blocks = [] if sparsity.blockMap is None else [int(at) for at in sparsity.blockMap]
    levels = sparsity.dimMetadata or []
    if sorted(order) != list(range(rank + len(blocks))) or len(levels) != len(order):
        raise Damaged("a sparse tensor's traversal order does not fit its shape")
    _check_all(blocks, rank, "a sparse tensor's block")
    for level in levels:
        if level.format not in (_DENSE, _CSR) or level.denseSize < 0:
            raise Damaged("a sparse tensor's dimension has no known format")
        if level.format == _CSR and (level.arraySegments is None or level.arrayIndices is None):
            raise Damaged("a sparse tensor lacks its indices")


def _check_all(indexes: Sequence[int] | None, count: int, what: str, *, lowest: int = 0) -> None:
    for index in [] if indexes is None else indexes:
        _check(index, count, what, lowest=lowest)


def _check(index: int, count: int, what: str, *, lowest: int = 0) -> None:
    if not lowest <= index < count:
        raise Damaged(f"{what} is {index}, of {count}")
