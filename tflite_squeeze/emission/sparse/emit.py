"""Writes weights that are mostly zero as sparse tensors where that makes the file smaller.

A planner counts the bytes of every encoding that the stock LiteRT interpreter runs and takes the
smallest. Sparse weights lie behind a DENSIFY operator, which XNNPACK carries out when the file is
loaded; then the dense kernels run, as fast as ever. A Dense layer becomes a convolution first
(see `covering_conv`), for only a convolution's weights are unpacked so.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tflite_squeeze.emission.sparse.covering_conv import cover
from tflite_squeeze.emission.sparse.layouts import (
    COVERING_TABLES_BYTES,
    SPARSE_TABLES_BYTES,
    Costed,
    cheapest,
    dense_layouts,
    kernel_layouts,
)
from tflite_squeeze.emission.sparse.plan import Encoding, SparsityMode, SparsityPlan, TensorPlan
from tflite_squeeze.emission.sparse.tensor import encoded
from tflite_squeeze.emission.sparse.weights import LayerWeights, layer_weights, sparse_kernels
from tflite_squeeze.errors import CheckFailed, UsageError
from tflite_squeeze.tflite.edits import merge_reshapes, new_operator, new_tensor, read_instead
from tflite_squeeze.tflite.fields import integers, items, text
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.tensor_values import tensor_values
from tflite_squeeze.tflite.tidy import tidied

_LEAST_ZEROS = 0.05  # below, as in any integer file, nothing is to be gained worth the look
_BIAS_ITEM_BYTES = 4
_RUNTIME = "min_runtime_version"


@dataclass(frozen=True, kw_only=True)
class Sparsified:
    """A file and what was decided about its weights.

    Attributes:
        tflite: the file; what came in where no tensor is better off sparse.
        plan: the decision for every tensor with zeros.
    """

    tflite: bytes
    plan: SparsityPlan


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """A tensor, its plan, and the layout to write it in (None for dense)."""

    weights: LayerWeights
    plan: TensorPlan
    layout: Costed | None


def sparsify(tflite: bytes, mode: SparsityMode = "auto") -> Sparsified:
    """Stores weights that are mostly zero as sparse tensors.

    Args:
        tflite: the file's content.
        mode: "auto" and "smallest" take the smallest encoding of every tensor; "dense" leaves the
            file alone;
            "sparse" takes the smallest sparse encoding of every tensor that has zeros and may
            be sparse, even where that is larger.

    Returns:
        The file and the plan. The values of every sparse tensor have been read again from the
        new bytes.

    Raises:
        InputError: the file is damaged.
        CheckFailed: the new bytes do not hold the values that they should.

    Example:
        >>> sparsify(tflite, "auto").plan.raw_bytes_after
        19480
    """
    if mode not in get_args(SparsityMode):
        raise UsageError(f"sparsity is {mode!r}: give 'auto', 'dense', 'smallest' or 'sparse'")
    model = read_model(tflite)
    weights = [] if mode == "dense" else list(layer_weights(model))
    least = 0.0 if mode == "sparse" else _LEAST_ZEROS
    choices = [_chosen(one, mode) for one in weights if one.zeros > least]
    written = [choice for choice in choices if choice.layout is not None]
    result = _written(model, written) if written else tflite
    return Sparsified(
        tflite=result,
        plan=SparsityPlan(
            mode=mode,
            tensors=tuple(choice.plan for choice in choices),
            raw_bytes_before=len(tflite),
            raw_bytes_after=len(result),
            unpacked_bytes=sum(choice.weights.values.nbytes for choice in written),
            sparse_kernels=sparse_kernels(read_model(tflite)) if choices else "",
        ),
    )


def _chosen(weights: LayerWeights, mode: SparsityMode) -> _Choice:
    dense = Encoding(kind="dense", bytes=weights.values.nbytes)
    costed = [] if weights.obstacle else _costed(weights)
    encodings = sorted([dense, *map(_encoding, costed)], key=lambda one: one.bytes)
    reason = weights.obstacle
    if not reason and mode != "sparse" and encodings[0] is dense:
        reason = f"no sparse encoding is smaller (the best has {encodings[1].bytes:,} bytes)"
    plan = TensorPlan(
        tensor=weights.label,
        operator=weights.name,
        shape=weights.values.shape,
        dtype=weights.dtype,
        zeros=weights.zeros,
        encodings=tuple(encodings),
        chosen="dense" if reason else _encoding(costed[0]).kind,
        reason=reason,
    )
    return _Choice(weights=weights, plan=plan, layout=None if reason else costed[0])


def _costed(weights: LayerWeights) -> list[Costed]:
    """The best sparse layouts of a tensor."""
    if weights.name == "FULLY_CONNECTED":
        outputs, inputs = weights.values.shape
        tables = SPARSE_TABLES_BYTES + COVERING_TABLES_BYTES
        if (*integers(weights.operator.inputs), -1)[2] < 0:
            tables += _BIAS_ITEM_BYTES * outputs  # the convolution needs one, of zeros
        return cheapest(weights.values, dense_layouts((outputs, inputs)), tables)
    return cheapest(weights.values, kernel_layouts(weights.values.shape), SPARSE_TABLES_BYTES)


def _encoding(costed: Costed) -> Encoding:
    layout = costed.layout
    kernel = "x".join(map(str, layout.shape[1:]))
    detail = f"kernel {kernel}, positions of {8 * layout.index_bytes} bits"
    if layout.block > 1:
        axis = "outputs" if layout.block_dimension == 0 else "inputs"
        detail = f"{detail}, blocks of {layout.block} {axis}"
    kind = "blocks" if layout.block > 1 else "csr"
    return Encoding(kind=kind, detail=detail, bytes=costed.bytes)


def _written(model: Any, choices: Sequence[_Choice]) -> bytes:
    """The file with the chosen tensors sparse, read again and compared."""
    for choice in choices:
        if choice.layout is not None:
            _write(model, choice.weights, choice.layout)
    for graph in model.subgraphs:
        merge_reshapes(model, graph)
    # It was found for the dense graph; older runtimes lack DENSIFY.
    model.metadata = [one for one in items(model.metadata) if text(one.name) != _RUNTIME] or None
    tflite = tidied(pack_model(model))
    expected = [
        choice.weights.values
        for choice in sorted(choices, key=lambda one: (one.weights.subgraph, one.weights.tensor))
    ]
    _check(tflite, expected)
    return tflite


def _write(model: Any, weights: LayerWeights, costed: Costed) -> None:
    graph = model.subgraphs[weights.subgraph]
    if weights.name == "FULLY_CONNECTED":
        cover(model, weights.subgraph, weights.operator, costed.layout.shape[2])
    about = graph.tensors[weights.tensor]
    about.shape = copy.copy(graph.tensors[weights.read].shape)  # a DEQUANTIZE keeps the shape
    unpacked = new_tensor(graph, weights.tensor, integers(about.shape))
    read_instead(graph, weights.tensor, unpacked)
    graph.operators.insert(0, new_operator(model, "DENSIFY", [weights.tensor], [unpacked]))
    sparse = encoded(weights.values, costed.layout)
    model.buffers.append(schema.BufferT(data=sparse.data))
    about.buffer, about.sparsity = len(model.buffers) - 1, sparse.sparsity


def _check(tflite: bytes, expected: Sequence[NDArray[Any]]) -> None:
    """Compares the sparse tensors of a file, in its order, with the values they should have."""
    model = read_model(tflite)
    places = [
        (subgraph, tensor)
        for subgraph, graph in enumerate(model.subgraphs)
        for tensor, about in enumerate(graph.tensors)
        if about.sparsity is not None
    ]
    found = [tensor_values(model, subgraph, tensor) for subgraph, tensor in places]
    same = len(found) == len(expected) and all(
        one is not None and np.array_equal(one.reshape(-1), other.reshape(-1))
        for one, other in zip(found, expected, strict=True)
    )
    if not same:
        raise CheckFailed(
            "the sparse file does not hold the weights of the dense one: convert with "
            "--sparsity dense, and report this"
        )
