"""Where the bytes of a .tflite file go."""

import gzip
import hashlib
import math
from collections.abc import Sequence
from typing import Any, Self

from pydantic import model_validator

from tflite_squeeze.tables.displayed import Displayed
from tflite_squeeze.tflite.fields import integers, operator_name, shape_of
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.links import subgraph_runs
from tflite_squeeze.tflite.macs import Macs, operator_macs
from tflite_squeeze.tflite.regions import Region, region_bytes
from tflite_squeeze.tflite.weights import Weight, constant_buffers, weights_of

_DOWNLOADS: dict[bytes, int] = {}  # by digest


class SizeLedger(Displayed):
    """The bytes of a file by what they are for, and what they could be.

    Attributes:
        raw_bytes: the file's size.
        download_bytes: its size after gzip -9, as app stores and web servers send it.
        weights_bytes: constants that represent real values, and the indices of sparse ones.
        constants_bytes: other constants: shapes, axes, paddings, lookup keys.
        quantization_bytes: scales, zero points and ranges, with their tables.
        metadata_bytes: metadata entries and their content.
        graph_bytes: all else: operators, tensors, names, padding. The five add up to raw_bytes.
        entropy_bytes: the bytes of the weights in a coder that knows only how often each value
            occurs (order 0), the list of its distinct values included.
        lookup_bytes: what the weights need as indices and tables of their values, in a runtime
            that looks them up. TFLite does not: equal values take their full size in the file.
        bytes_per_dtype: the tensors' data by type.
        parameters: how many numbers the weights represent; zeros: how many of them are 0.
        sparse_tensors: weights stored with indices; sparse_bytes: their data with the indices;
            sparse_density: the share of their numbers that is not 0, None without any.
        macs: multiply-accumulates of one run of the first signature, for a batch of 1 where the
            file leaves it open.
        binary_macs: those on single bits.
        unknown_macs: operators whose count is not known (custom ones, open dimensions, loops of
            unknown length, which count once); empty means that `macs` is complete.
    """

    tables_by = ".size_tables:size_tables"

    raw_bytes: int
    download_bytes: int
    weights_bytes: int
    constants_bytes: int
    quantization_bytes: int
    metadata_bytes: int
    graph_bytes: int
    entropy_bytes: int
    lookup_bytes: int
    bytes_per_dtype: dict[str, int]
    parameters: int
    zeros: int
    sparse_tensors: int
    sparse_bytes: int
    sparse_density: float | None
    macs: int
    binary_macs: int
    unknown_macs: tuple[str, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        parts = (
            self.weights_bytes
            + self.constants_bytes
            + self.quantization_bytes
            + self.metadata_bytes
            + self.graph_bytes
        )
        if parts != self.raw_bytes:
            raise ValueError(f"the parts have {parts} bytes, the file {self.raw_bytes}")
        return self


def size_ledger(tflite: bytes) -> SizeLedger:
    """Accounts for every byte of a file.

    Args:
        tflite: the file's content.

    Returns:
        The ledger; the same for the same file.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> size_ledger(tflite).download_bytes
        18233
    """
    model = read_model(tflite)
    weights = weights_of(model)
    regions = region_bytes(tflite, {weight.buffer for weight in weights})
    macs, unknown = file_macs(model)
    return SizeLedger(
        raw_bytes=len(tflite),
        download_bytes=download_bytes(tflite),
        weights_bytes=regions[Region.WEIGHTS] + regions[Region.INDICES],
        constants_bytes=regions[Region.CONSTANTS],
        quantization_bytes=regions[Region.QUANTIZATION],
        metadata_bytes=regions[Region.METADATA],
        graph_bytes=regions[Region.GRAPH],
        entropy_bytes=math.ceil(sum(weight.entropy_bytes for weight in weights)),
        lookup_bytes=math.ceil(sum(weight.lookup_bytes for weight in weights)),
        bytes_per_dtype=_bytes_per_dtype(model),
        parameters=sum(weight.elements for weight in weights),
        zeros=sum(weight.zeros for weight in weights),
        macs=macs.macs,
        binary_macs=macs.binary_macs,
        unknown_macs=unknown,
        **_sparse([weight for weight in weights if weight.sparse], regions[Region.INDICES]),
    )


def download_bytes(data: bytes) -> int:
    """The size of bytes after gzip -9, without a time stamp."""
    # The same file is asked about by its record, its ledger and its report.
    digest = hashlib.blake2b(data, digest_size=16).digest()
    if digest not in _DOWNLOADS:
        _DOWNLOADS[digest] = len(gzip.compress(data, 9, mtime=0))
    return _DOWNLOADS[digest]


def macs_of(model: Any, subgraph: int, operator: Any) -> Macs | None:
    """The multiply-accumulates of one operator of a file; None where they are not known.

    Where the subgraph leaves its batch open, a leading open dimension counts as 1.

    Args:
        model: what `read_model` returned.
        subgraph: the index of the operator's subgraph.
        operator: the operator.
    """
    graph = model.subgraphs[subgraph]
    open_batch = any(
        shape_of(graph.tensors[at])[:1] == (-1,) for at in integers(graph.inputs) if at >= 0
    )

    def shape(tensor: int) -> tuple[int, ...] | None:
        if tensor < 0:
            return None
        found = shape_of(graph.tensors[tensor])
        return (1, *found[1:]) if open_batch and found[:1] == (-1,) else found

    return operator_macs(
        operator_name(model, operator),
        [shape(at) for at in integers(operator.inputs)],
        [shape(at) for at in integers(operator.outputs)],
        transposed=bool(getattr(operator.builtinOptions, "adjX", False)),
    )


def file_macs(model: Any) -> tuple[Macs, tuple[str, ...]]:
    """The multiply-accumulates of one run of a file, and the operators whose count is unknown.

    Args:
        model: what `read_model` returned.
    """
    runs, loops = subgraph_runs(model)
    macs, binary_macs, unknown = 0, 0, set(loops)
    for subgraph, times in runs.items():
        for operator in model.subgraphs[subgraph].operators if times else ():
            count = macs_of(model, subgraph, operator)
            if count is None:
                unknown.add(operator_name(model, operator))
            else:
                macs += times * count.macs
                binary_macs += times * count.binary_macs
    return Macs(macs=macs, binary_macs=binary_macs), tuple(sorted(unknown))


def _bytes_per_dtype(model: Any) -> dict[str, int]:
    sums: dict[str, int] = {}
    for buffer, dtype in constant_buffers(model).items():
        sums[dtype] = sums.get(dtype, 0) + len(model.buffers[buffer].data)
    return dict(sorted(sums.items()))


def _sparse(weights: Sequence[Weight], index_bytes: int) -> dict[str, Any]:
    elements = sum(weight.elements for weight in weights)
    zeros = sum(weight.zeros for weight in weights)
    return {
        "sparse_tensors": len(weights),
        "sparse_bytes": sum(weight.stored_bytes for weight in weights) + index_bytes,
        "sparse_density": (elements - zeros) / elements if elements else None,
    }
