"""Sparse files: smaller, with the same values in their bytes and the same answers."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.emission.sparse.sparse_files import answer, convolution, dense_chain, sparse_values
from tflite_squeeze.emission.sparse import emit as sparse
from tflite_squeeze.emission.sparse.emit import sparsify
from tflite_squeeze.emission.sparse.layouts import Layout
from tflite_squeeze.emission.sparse.plan import SparsityPlan
from tflite_squeeze.emission.sparse.tensor import densified, encoded
from tflite_squeeze.errors import CheckFailed, UsageError
from tflite_squeeze.tflite.flatbuffer import operator_names, pack_model, read_model
from tflite_squeeze.tflite.tensor_values import tensor_values

TYPES = ("float32", "float16", "int8")


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("delegate", [True, False])
def test_dense_layers_answer_bit_for_bit(dtype: str, delegate: bool) -> None:
    tflite = dense_chain(dtype)
    made = sparsify(tflite)
    assert [one.chosen for one in made.plan.tensors] == ["csr", "csr"]
    assert len(made.tflite) == made.plan.raw_bytes_after < len(tflite) / 3
    expected = answer(tflite, delegate=delegate)
    assert answer(made.tflite, delegate=delegate) == expected
    assert answer(densified(made.tflite), delegate=delegate) == expected
    assert len(set(expected)) == 3  # an answer that is always the same would prove nothing


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("delegate", [True, False])
def test_convolutions_answer_bit_for_bit(dtype: str, delegate: bool) -> None:
    tflite = convolution(dtype)
    made = sparsify(tflite)
    assert len(made.tflite) < len(tflite)
    assert answer(made.tflite, delegate=delegate) == answer(tflite, delegate=delegate)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("delegate", [True, False])
def test_kernels_without_a_value_stay_constants(dtype: str, delegate: bool) -> None:
    for tflite in (convolution(dtype, zeros=1.0), dense_chain(dtype, zeros=1.0)):
        made = sparsify(tflite)
        assert made.plan.sparse_tensors
        assert len(made.tflite) < len(tflite) / 2
        assert answer(made.tflite, delegate=delegate) == answer(tflite, delegate=delegate)


def test_reshapes_around_covering_convolutions_merge() -> None:
    (names,) = operator_names(sparsify(dense_chain()).tflite)
    # 512 inputs as 2 x 256; 96 outputs go straight into the second kernel
    assert names == ["DENSIFY", "DENSIFY", "RESHAPE", "CONV_2D", "CONV_2D", "RESHAPE"]


def test_the_planned_bytes_are_those_that_the_file_saves() -> None:
    tflite = dense_chain("int8")
    plan = sparsify(tflite).plan
    saved = sum(one.dense_bytes - one.chosen_bytes for one in plan.tensors)
    assert abs(len(tflite) - saved - plan.raw_bytes_after) < 1024
    first = plan.tensors[0]
    count = int(np.count_nonzero(sparse_values((96, 512), 0.95, "int8")))
    assert first.chosen_bytes == 2 * count + 2 * (96 * 2 + 1) + 240 + 160
    assert first.zeros == pytest.approx(1 - count / (96 * 512))
    assert plan.unpacked_bytes == 96 * 512 + 10 * 96
    assert SparsityPlan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_missing_biases_and_batches(dtype: str) -> None:
    for batch in (1, 3):
        tflite = dense_chain(dtype, batch=batch, bias=False)
        made = sparsify(tflite)
        assert len(made.plan.sparse_tensors) == 2
        assert answer(made.tflite) == answer(tflite)


def test_few_zeros_stay_dense_unless_asked_for() -> None:
    tflite = dense_chain("int8", zeros=0.2)
    auto = sparsify(tflite)
    assert auto.tflite is tflite
    assert all("no sparse encoding is smaller" in one.reason for one in auto.plan.tensors)
    asked = sparsify(tflite, "sparse")
    assert len(asked.tflite) > len(tflite)
    assert answer(asked.tflite) == answer(tflite)


def test_dense_and_files_without_zeros_are_left_alone() -> None:
    pruned, full = dense_chain(), dense_chain(zeros=0.0)
    assert sparsify(pruned, "dense").tflite is pruned
    assert sparsify(full).tflite is full
    assert sparsify(full).plan.tensors == ()
    assert sparsify(full, "sparse").tflite is full


def test_obstacles_are_named() -> None:
    model = read_model(dense_chain())
    tensors = model.subgraphs[0].tensors
    second = next(one for one in tensors if one.name == b"second")
    second.shape = np.int32([10, 96])
    model.subgraphs[0].operators[2].builtinOptions.weightsFormat = 1
    made = sparsify(pack_model(model))
    assert [one.reason for one in made.plan.tensors] == [
        "",
        "its weights are in a shuffled format",
    ]
    hybrid = read_model(dense_chain("int8"))
    for tensor in hybrid.subgraphs[0].tensors:
        if tensor.type == schema.TensorType.INT8 and not tensor.buffer:
            tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None
    reasons = {one.reason for one in sparsify(pack_model(hybrid)).plan.tensors}
    assert reasons == {"int8 weights with float32 activations are not unpacked at load"}


def test_an_unknown_mode() -> None:
    with pytest.raises(UsageError, match="'auto', 'dense', 'smallest' or 'sparse'"):
        sparsify(dense_chain(), "csr")  # type: ignore[arg-type]


def test_wrong_bytes_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(values: np.ndarray, layout: Layout) -> object:
        return encoded(np.where(values > 0, -values, values), layout)

    monkeypatch.setattr(sparse, "encoded", wrong)
    with pytest.raises(CheckFailed, match="does not hold the weights"):
        sparsify(dense_chain())


@pytest.mark.parametrize(
    "layout",
    [
        Layout(shape=(6, 2, 2, 8), order=(0, 1, 2, 3)),
        Layout(shape=(6, 2, 2, 8), order=(1, 2, 3, 0)),
        Layout(shape=(6, 2, 2, 8), order=(0, 2, 3, 1)),
        Layout(shape=(6, 2, 2, 8), order=(0, 1, 2, 3), block=4, block_dimension=3),
        Layout(shape=(6, 2, 2, 8), order=(1, 2, 3, 0), block=2, block_dimension=0),
        Layout(shape=(6, 2, 2, 8), order=(1, 2, 3, 0), block=4, block_dimension=3),
    ],
)
def test_every_layout_reads_back(layout: Layout) -> None:
    values = sparse_values((6, 2, 2, 8), 0.8, "float32")
    values[0, 0, 0, 0] = -0.0
    found = _read_back(values, layout)
    assert np.array_equal(found, values)
    assert not np.signbit(found[0, 0, 0, 0])


@pytest.mark.parametrize("block", [1, 4])
def test_huge_kernels_of_a_few_values_read_back(block: int) -> None:
    values = np.zeros((600, 1, 1, 500), np.float32)
    values[3, 0, 0, 7] = 2
    layout = Layout(shape=values.shape, order=(0, 1, 2, 3), block=block, block_dimension=3)
    assert np.array_equal(_read_back(values, layout), values)


def _read_back(values: np.ndarray, layout: Layout) -> np.ndarray:
    written = encoded(values, layout)
    tensor = schema.TensorT(
        shape=np.int32(values.shape), type=0, buffer=1, name="w", sparsity=written.sparsity
    )
    graph = schema.SubGraphT(tensors=[tensor], operators=[], inputs=[], outputs=[])
    buffers = [schema.BufferT(), schema.BufferT(data=written.data)]
    model = schema.ModelT(version=3, operatorCodes=[], subgraphs=[graph], buffers=buffers)
    found = tensor_values(read_model(pack_model(model)), 0, 0)
    assert found is not None
    return found


def test_zeros_in_blocks_are_written_in_blocks() -> None:
    model = read_model(dense_chain("int8", zeros=0.0))
    first = next(one for one in model.subgraphs[0].tensors if one.name == b"first")
    values = sparse_values((96, 128, 1), 0.9, "int8").repeat(4, axis=2).reshape(96, 512)
    model.buffers[first.buffer].data = values.tobytes()
    tflite = pack_model(model)
    made = sparsify(tflite)
    assert [one.chosen for one in made.plan.tensors] == ["blocks"]
    for delegate in (True, False):
        assert answer(made.tflite, delegate=delegate) == answer(tflite, delegate=delegate)
