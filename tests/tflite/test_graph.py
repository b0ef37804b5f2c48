import numpy as np

from tests.tiny_files import FileMaker, dense_file, quantization
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.graph import OperatorRecord, WeightRecord, file_operators
from tflite_squeeze.tflite.links import Links


def test_an_operator_with_its_weights() -> None:
    (record,) = file_operators(read_model(dense_file()))
    assert record == OperatorRecord(
        subgraph=0,
        index=0,
        name="FULLY_CONNECTED",
        version=1,
        inputs=((1, 3),),
        outputs=((1, 2),),
        dtype="float32",
        parameters=8,
        weights_bytes=32,
        macs=6,
        binary_macs=0,
        weights=(
            WeightRecord(
                name="w", shape=(2, 3), dtype="float32", stored_bytes=24, zeros=2, distinct=4
            ),
            WeightRecord(
                name="b", shape=(2,), dtype="float32", stored_bytes=8, zeros=0, distinct=2
            ),
        ),
    )
    assert record.place == "FULLY_CONNECTED 0:0"
    assert OperatorRecord.model_validate_json(record.model_dump_json()) == record


def test_shared_weights_stand_with_the_first_operator() -> None:
    maker = FileMaker()
    x, y, z = (maker.tensor(name, (1, 2)) for name in "xyz")
    weights = maker.tensor("w", (2, 2), data=np.float32([[1, 2], [3, 4]]))
    maker.operator("FULLY_CONNECTED", [x, weights, -1], [y])
    maker.operator("FULLY_CONNECTED", [y, weights, -1], [z])
    first, second = file_operators(read_model(maker.file([x], [z])))
    assert (first.parameters, second.parameters) == (4, 0)
    assert (first.macs, second.macs) == (4, 4)


def _open_file(input_shape, output_shape) -> bytes:
    maker = FileMaker()
    x = maker.tensor("x", (1, 3, 2), signature=input_shape)
    y = maker.tensor("y", (1, 3, 2), signature=output_shape)
    weights = maker.tensor("w", (2, 2), data=np.float32([[1, 2], [3, 4]]))
    maker.operator("FULLY_CONNECTED", [x, weights, -1], [y])
    return maker.file([x], [y])


def test_an_open_batch_counts_as_one() -> None:
    (record,) = file_operators(read_model(_open_file((-1, 3, 2), (-1, 3, 2))))
    assert record.inputs == ((-1, 3, 2),)
    assert record.macs == 3 * 4


def test_other_open_dimensions_leave_the_count_open() -> None:
    (record,) = file_operators(read_model(_open_file((1, -1, 2), (1, -1, 2))))
    assert record.macs is None


def test_links_know_who_computes_and_who_reads() -> None:
    maker = FileMaker()
    half = maker.tensor("h", (2, 2), "float16", data=np.float16([[1, 2], [3, 4]]))
    weights = maker.tensor("w", (2, 2))
    x, y = maker.tensor("x", (1, 2)), maker.tensor("y", (1, 2), "int4")
    maker.operator("DEQUANTIZE", [half], [weights])
    maker.operator("FULLY_CONNECTED", [x, weights, -1], [y])
    links = Links(maker.model([x], [y]), 0)
    assert links.producer == {weights: 0, y: 1}
    assert links.readers[weights] == [1]
    assert links.is_constant(half)
    assert links.is_constant(weights)  # behind a DEQUANTIZE
    assert not links.is_constant(x)
    assert links.computed(1) == [x]
    assert (links.run_bytes(x), links.run_bytes(y)) == (8, 1)
    assert (links.starts, links.ends) == ({x}, {y})


def test_links_end_where_a_damaged_graph_goes_in_circles() -> None:
    maker = FileMaker()
    a, b = maker.tensor("a", (1,)), maker.tensor("b", (1,))
    maker.operator("DEQUANTIZE", [a], [b])
    maker.operator("DEQUANTIZE", [b], [a])
    links = Links(maker.model([a], [b]), 0)
    assert not links.is_constant(a)
    assert not links.is_constant(b)


def test_quantized_weights_show_real_zeros() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 2), "int8"), maker.tensor("y", (1, 2), "int8")
    weights = maker.tensor(
        "w", (2, 2), "int8", data=np.int8([[3, 0], [3, 3]]), quantization=quantization([0.1], [3])
    )
    maker.operator("FULLY_CONNECTED", [x, weights, -1], [y])
    (record,) = file_operators(read_model(maker.file([x], [y])))
    assert record.weights[0].zeros == 3
    assert record.weights[0].distinct == 2
