"""The costs of a file in a few numbers, by which two files can be compared."""

from typing import Any

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.tflite.fields import items, text
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.size import size_ledger
from tflite_squeeze.tflite.weights import weights_of


class Footprint(Frozen):
    """What a file costs.

    Attributes:
        raw_bytes: its size.
        download_bytes: after gzip -9.
        parameters: numbers in its weights.
        nonzeros: those that are not 0.
        distinct: the most distinct values that a weight matrix has.
        macs: multiply-accumulates of a run.
    """

    raw_bytes: int
    download_bytes: int
    parameters: int
    nonzeros: int
    distinct: int
    macs: int


def footprint(tflite: bytes) -> Footprint:
    """Measures a file's costs.

    Args:
        tflite: the file's content.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> footprint(tflite).nonzeros
        12930
    """
    size = size_ledger(tflite)
    matrices = [
        weight for weight in weights_of(read_model(tflite))
        if weight.values is not None and weight.values.ndim > 1
    ]  # fmt: skip
    return Footprint(
        raw_bytes=size.raw_bytes,
        download_bytes=size.download_bytes,
        parameters=size.parameters,
        nonzeros=size.parameters - size.zeros,
        distinct=max((len(weight.counts) for weight in matrices), default=0),
        macs=size.macs,
    )


class TensorBytes(Frozen):
    """The bytes of one weight tensor of a file.

    Attributes:
        tensor: its name.
        dtype: the type that it is stored in.
        bytes: its numbers, with the indices of a sparse one.
        parameters: how many numbers it represents.
        zeros: how many of them are 0.
        sparse: whether it is stored with indices.
    """

    tensor: str
    dtype: str
    bytes: int
    parameters: int
    zeros: int
    sparse: bool


def tensor_bytes(tflite: bytes) -> tuple[TensorBytes, ...]:
    """The weight tensors of a file, the largest first.

    Args:
        tflite: the file's content.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> tensor_bytes(tflite)[0].dtype
        'int8'
    """
    model = read_model(tflite)
    found = []
    for weight in weights_of(model):
        subgraph, index = weight.place
        tensor = model.subgraphs[subgraph].tensors[index]
        found.append(
            TensorBytes(
                tensor=text(tensor.name),
                dtype=weight.dtype,
                bytes=weight.stored_bytes + _index_bytes(tensor),
                parameters=weight.elements,
                zeros=weight.zeros,
                sparse=weight.sparse,
            )
        )
    return tuple(sorted(found, key=lambda one: -one.bytes))


# The generated classes of the schema by the bytes of one of their numbers.
_ITEM_BYTES = {"Int32VectorT": 4, "Uint16VectorT": 2, "Uint8VectorT": 1}


def _index_bytes(tensor: Any) -> int:
    """The bytes of a sparse tensor's row ends and positions."""
    if tensor.sparsity is None:
        return 0
    vectors = [
        vector
        for level in items(tensor.sparsity.dimMetadata)
        for vector in (level.arraySegments, level.arrayIndices)
        if vector is not None
    ]
    return sum(_ITEM_BYTES[type(one).__name__] * len(items(one.values)) for one in vectors)
