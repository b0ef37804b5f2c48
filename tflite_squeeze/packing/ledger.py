"""What the bytes of a packed file are for."""

from typing import Any

import numpy as np

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.packing import sqz_reader
from tflite_squeeze.packing.compiled import array_of, run_whole
from tflite_squeeze.tflite.fields import integers, shape_of
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.regions import Region, region_marks
from tflite_squeeze.tflite.weights import weights_of

_OPERANDS = 3  # of operators with a bias: input, weights, bias


class PackedLedger(Frozen):
    """The bytes of a packed file by what they are for.

    Attributes:
        weights_bytes: weights, and the indices of sparse ones.
        biases_bytes: biases.
        scales_bytes: scales, zero points and ranges.
        graph_bytes: operators, tensors, names, shapes, padding.
        metadata_bytes: metadata entries and their content.
        head_bytes: what a packed file starts with: magic number, hash, size. With the other
            five, this adds up to the packed file.
        dictionary_bytes: what every reader carries, once for all files.
    """

    weights_bytes: float
    biases_bytes: float
    scales_bytes: float
    graph_bytes: float
    metadata_bytes: float
    head_bytes: float
    dictionary_bytes: int


def packed_ledger(tflite: bytes, packed: bytes) -> PackedLedger | None:
    """Accounts for every byte of a packed file, by reading it.

    Args:
        tflite: the file's content.
        packed: what `pack` made of it.

    Returns:
        The ledger, in fractions of bytes; None where `packed` is no packed file.

    Example:
        >>> packed_ledger(tflite, pack(tflite)).graph_bytes
        412.5
    """
    try:
        state = sqz_reader.opened(packed, run_whole, array_of)
    except ValueError:
        return None
    state[sqz_reader.SPENT] = array_of([0] * len(tflite))
    state[sqz_reader.REGISTERS][sqz_reader.COUNTS] = 1
    if len(tflite) != state[sqz_reader.REGISTERS][sqz_reader.SIZE] or not run_whole(tuple(state)):
        return None
    start = 2048 * 6 - 256 * 48  # the reader has taken six bytes, and knows nothing of them
    spent = np.diff(np.asarray(state[sqz_reader.SPENT]), prepend=start) / 2048
    model = read_model(tflite)
    biases = _bias_buffers(model)
    weights = {weight.buffer for weight in weights_of(model)}
    regions = region_marks(tflite, weights)
    parts = {region: float(spent[regions == region].sum()) for region in Region}
    without = region_marks(tflite, weights - biases)
    bias = float(spent[(regions == Region.WEIGHTS) & (without != Region.WEIGHTS)].sum())
    return PackedLedger(
        weights_bytes=parts[Region.WEIGHTS] + parts[Region.INDICES] - bias,
        biases_bytes=bias,
        scales_bytes=parts[Region.QUANTIZATION],
        graph_bytes=parts[Region.GRAPH] + parts[Region.CONSTANTS],
        metadata_bytes=parts[Region.METADATA],
        head_bytes=len(packed) - float(spent.sum()),
        dictionary_bytes=len(sqz_reader.DICTIONARY),
    )


def _bias_buffers(model: Any) -> set[int]:
    """The buffers of vectors that operators take behind their input and weights."""
    found: set[int] = set()
    for graph in model.subgraphs:
        for operator in graph.operators:
            inputs = integers(operator.inputs)
            if len(inputs) >= _OPERANDS and inputs[2] >= 0:
                tensor = graph.tensors[inputs[2]]
                if len(shape_of(tensor)) == 1:
                    found.add(tensor.buffer)
    return found
