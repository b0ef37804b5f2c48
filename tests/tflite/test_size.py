import gzip

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from pydantic import ValidationError

from tests.tiny_files import FileMaker, dense_file, quantization
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model, with_metadata
from tflite_squeeze.tflite.size import SizeLedger, size_ledger
from tflite_squeeze.tflite.weights import weights_of


def test_the_ledger_of_a_dense_layer_by_hand() -> None:
    tflite = dense_file()
    ledger = size_ledger(tflite)
    assert ledger.raw_bytes == len(tflite)
    assert ledger.download_bytes == len(gzip.compress(tflite, 9, mtime=0))
    assert ledger.weights_bytes == (4 + 6 * 4) + (4 + 2 * 4)  # each vector with its length
    assert ledger.constants_bytes == 0
    assert ledger.quantization_bytes == 0
    assert ledger.metadata_bytes == 0
    assert ledger.graph_bytes == len(tflite) - 40
    assert ledger.bytes_per_dtype == {"float32": 32}
    assert ledger.parameters == 8
    assert ledger.zeros == 2
    assert (ledger.macs, ledger.binary_macs, ledger.unknown_macs) == (6, 0, ())
    assert (ledger.sparse_tensors, ledger.sparse_bytes, ledger.sparse_density) == (0, 0, None)


def test_the_ledger_round_trips_and_is_the_same_each_time() -> None:
    ledger = size_ledger(dense_file())
    assert SizeLedger.model_validate_json(ledger.model_dump_json()) == ledger
    assert size_ledger(dense_file()) == ledger


def test_parts_that_do_not_add_up_are_refused() -> None:
    fields = size_ledger(dense_file()).model_dump()
    with pytest.raises(ValidationError, match="the parts have"):
        SizeLedger(**{**fields, "graph_bytes": fields["graph_bytes"] + 1})


def test_metadata_is_counted_with_name_and_content() -> None:
    before = size_ledger(dense_file())
    after = size_ledger(with_metadata(dense_file(), {"recipe": bytes(100)}))
    # content and name with their lengths, and the entry's table: vtable offset, name, buffer
    assert after.metadata_bytes == (4 + 100) + (4 + 6) + 12
    assert after.weights_bytes == before.weights_bytes


def _quantized_file(channels: int) -> bytes:
    maker = FileMaker()
    x = maker.tensor("x", (1, 4), "int8", quantization=quantization([0.1], [3]))
    values = np.zeros((8, 4), np.int8)
    values[0] = 5
    weights = maker.tensor(
        "w", (8, 4), "int8", data=values, quantization=quantization([0.5] * channels)
    )
    shape = maker.tensor("shape", (2,), "int32", data=np.int32([1, 8]))
    # Vectors that are equal are written once, so these have zero points of their own.
    y = maker.tensor("y", (1, 8), "int8", quantization=quantization([0.1], [1]))
    maker.operator("FULLY_CONNECTED", [x, weights, -1], [y])
    z = maker.tensor("z", (1, 8), "int8", quantization=quantization([0.1], [1]))
    maker.operator("RESHAPE", [y, shape], [z])
    return maker.file([x], [z])


def test_scales_and_zero_points_per_channel_cost_12_bytes_each() -> None:
    per_tensor, per_channel = size_ledger(_quantized_file(1)), size_ledger(_quantized_file(8))
    assert per_channel.quantization_bytes - per_tensor.quantization_bytes == 7 * (4 + 8)
    assert per_tensor.constants_bytes == 4 + 8
    assert per_tensor.weights_bytes == 4 + 32
    assert per_tensor.bytes_per_dtype == {"int32": 8, "int8": 32}


def test_entropy_of_a_quarter_of_ones() -> None:
    maker = FileMaker()
    x = maker.tensor("x", (1, 8))
    values = np.float32([[1, 0, 0, 0, 0, 0, 1, 0]] * 4)  # 8 of 32: H = 0.8113 bits a value
    weights = maker.tensor("w", (4, 8), data=values)
    y = maker.tensor("y", (1, 4))
    maker.operator("FULLY_CONNECTED", [x, weights, -1], [y])
    # 32 · 0.8113 / 8 = 3.245 bytes, and two distinct values of 4 bytes
    assert size_ledger(maker.file([x], [y])).entropy_bytes == 12


def test_the_entropy_never_exceeds_the_plain_numbers() -> None:
    maker = FileMaker()
    x = maker.tensor("x", (1, 8))
    values = np.arange(32, dtype=np.float32).reshape(4, 8)
    weights = maker.tensor("w", (4, 8), data=values)
    y = maker.tensor("y", (1, 4))
    maker.operator("FULLY_CONNECTED", [x, weights, -1], [y])
    assert size_ledger(maker.file([x], [y])).entropy_bytes == 32 * 4


def test_zeros_are_what_the_zero_point_stands_for() -> None:
    maker = FileMaker()
    x = maker.tensor("x", (1, 3), "uint8", quantization=quantization([0.1], [7]))
    weights = maker.tensor(
        "w", (2, 3), "uint8", data=np.uint8([[7, 0, 7], [1, 7, 0]]),
        quantization=quantization([0.1], [7]),
    )  # fmt: skip
    channels = maker.tensor(
        "c", (2, 3), "int8", data=np.int8([[1, 0, 1], [2, 1, 2]]),
        quantization=quantization([0.1, 0.2], [1, 2]),
    )  # fmt: skip
    y = maker.tensor("y", (1, 2))
    maker.operator("FULLY_CONNECTED", [x, weights, channels], [y])
    found = weights_of(maker.model([x], [y]))
    assert [weight.zeros for weight in found] == [3, 4]
    assert [len(weight.counts) for weight in found] == [3, 3]


def _sparse_file() -> bytes:
    """A 4 by 4 matrix with rows [0 5 0 0], [0 0 0 0], [1 0 0 2], [0 0 0 0] as CSR."""
    maker = FileMaker()
    x = maker.tensor("x", (1, 4))
    dense, csr = schema.DimensionType.DENSE, schema.DimensionType.SPARSE_CSR
    rows = schema.DimensionMetadataT(format=dense, denseSize=4)
    columns = schema.DimensionMetadataT(
        format=csr,
        arraySegmentsType=schema.SparseIndexVector.Uint8Vector,
        arraySegments=schema.Uint8VectorT(values=np.uint8([0, 1, 1, 3, 3])),
        arrayIndicesType=schema.SparseIndexVector.Uint8Vector,
        arrayIndices=schema.Uint8VectorT(values=np.uint8([1, 0, 3])),
    )
    sparsity = schema.SparsityParametersT(
        traversalOrder=np.int32([0, 1]), dimMetadata=[rows, columns]
    )
    weights = maker.tensor("w", (4, 4), data=np.float32([5, 1, 2]), sparsity=sparsity)
    y = maker.tensor("y", (1, 4))
    maker.operator("FULLY_CONNECTED", [x, weights, -1], [y])
    return maker.file([x], [y])


def test_sparse_weights_are_counted_dense_and_with_their_indices() -> None:
    ledger = size_ledger(_sparse_file())
    assert ledger.sparse_tensors == 1
    assert ledger.sparse_density == 3 / 16
    assert (ledger.parameters, ledger.zeros) == (16, 13)
    assert ledger.macs == 16
    # three floats and at least the 8 bytes of segments and indices
    assert 12 + 8 < ledger.sparse_bytes < ledger.raw_bytes
    assert ledger.weights_bytes == ledger.sparse_bytes + 4


def test_shared_weights_are_counted_once() -> None:
    model = read_model(dense_file())
    graph = model.subgraphs[0]
    graph.tensors.append(schema.TensorT(
        shape=np.int32([2, 3]), type=0, buffer=graph.tensors[1].buffer, name="same"
    ))  # fmt: skip
    ledger = size_ledger(pack_model(model))
    assert ledger.parameters == 8
    assert ledger.bytes_per_dtype == {"float32": 32}


def _loop_file(limit: int | None) -> bytes:
    """A WHILE whose body is the dense layer's, with a condition `counter < limit`."""
    model = read_model(dense_file())
    body = model.subgraphs[0]
    maker = FileMaker()
    counter, more = maker.tensor("i", (), "int32"), maker.tensor("more", (), "bool")
    data = None if limit is None else np.int32([limit])
    bound = maker.tensor("limit", (), "int32", data=data)
    maker.operator("LESS", [counter, bound], [more])
    condition = maker.model([counter], [more])
    outer = FileMaker()
    start, end = outer.tensor("x", (), "int32"), outer.tensor("y", (), "int32")
    outer.operator(
        "WHILE", [start], [end], schema.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=2)
    )
    main = outer.model([start], [end])
    main.operatorCodes += [condition.operatorCodes[0], model.operatorCodes[0]]
    condition.subgraphs[0].operators[0].opcodeIndex = 1
    body.operators[0].opcodeIndex = 2
    base = len(model.buffers)
    main.buffers = [*model.buffers, *condition.buffers]
    for tensor in condition.subgraphs[0].tensors:
        tensor.buffer = tensor.buffer + base if tensor.buffer else 0
    main.subgraphs += [condition.subgraphs[0], body]
    return pack_model(main)


def test_a_loop_counts_its_steps() -> None:
    ledger = size_ledger(_loop_file(5))
    assert (ledger.macs, ledger.unknown_macs) == (5 * 6, ())


def test_a_loop_of_unknown_length_counts_once_and_says_so() -> None:
    ledger = size_ledger(_loop_file(None))
    assert (ledger.macs, ledger.unknown_macs) == (6, ("WHILE",))


def test_custom_operators_are_reported_as_unknown() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1,)), maker.tensor("y", (1,))
    maker.operator("FlexErf", [x], [y], custom=True)
    assert size_ledger(maker.file([x], [y])).unknown_macs == ("FlexErf",)
