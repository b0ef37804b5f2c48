import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.tiny_files import FileMaker, quantization
from tflite_squeeze.errors import InputError, UnsupportedError
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.tensor_values import dequantized, tensor_values


def _values(shape, dtype, data, **fields):
    maker = FileMaker()
    maker.tensor("w", shape, dtype, data=data, **fields)
    return tensor_values(read_model(maker.file([], [0])), 0, 0)


@pytest.mark.parametrize(
    ("dtype", "data", "expected"),
    [
        # low bits first: 0x1F holds -1, then 1
        ("int4", bytes([0x1F, 0x87]), [-1, 1, 7, -8]),
        ("uint4", bytes([0x1F, 0x87]), [15, 1, 7, 8]),
        # 0b11_10_01_00 holds 0, 1, -2, -1
        ("int2", bytes([0b11100100]), [0, 1, -2, -1]),
        ("int8", bytes([0xFF, 0, 1, 0x80]), [-1, 0, 1, -128]),
        ("float16", np.float16([1, -0.5, 0, 65504]), [1, -0.5, 0, 65504]),
        ("bfloat16", np.uint16([0x3F80, 0xC000, 0, 0x3F00]), [1, -2, 0, 0.5]),
        ("int64", np.int64([1, -1, 0, 2**40]), [1, -1, 0, 2**40]),
        ("bool", bytes([1, 0, 1, 1]), [True, False, True, True]),
    ],
)
def test_stored_values_of_each_type(dtype, data, expected) -> None:
    values = _values((2, 2), dtype, data)
    assert values.shape == (2, 2)
    assert values.reshape(-1).tolist() == expected


def test_an_odd_count_of_packed_values_leaves_the_last_bits_unused() -> None:
    assert _values((3,), "int4", bytes([0x21, 0xF3])).tolist() == [1, 2, 3]


def test_tensors_without_numbers_of_their_own_have_no_values() -> None:
    assert _values((2,), "float32", None) is None
    assert _values((1,), "string", b"\1\0\0\0\x0c\0\0\0\x0d\0\0\0a") is None


def test_data_too_few_for_the_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"tensor 'w' has 4 bytes, too few for the shape \[2, 2\]"):
        _values((2, 2), "float32", np.float32([1]))


def test_a_shape_beyond_all_numbers_is_damage_even_with_a_zero_in_it() -> None:
    with pytest.raises(InputError, match="too few for the shape"):
        _values((0, 2**30, 2**30, 2**30), "int8", b"1234")


def _level(size=None, segments=None, indices=None, kind="Uint16"):
    if size is not None:
        return schema.DimensionMetadataT(format=schema.DimensionType.DENSE, denseSize=size)
    dtype, table = {
        "Uint8": (np.uint8, schema.Uint8VectorT),
        "Uint16": (np.uint16, schema.Uint16VectorT),
        "Int32": (np.int32, schema.Int32VectorT),
    }[kind]
    vector = getattr(schema.SparseIndexVector, f"{kind}Vector")
    return schema.DimensionMetadataT(
        format=schema.DimensionType.SPARSE_CSR,
        arraySegmentsType=vector,
        arraySegments=table(values=dtype(segments)),
        arrayIndicesType=vector,
        arrayIndices=table(values=dtype(indices)),
    )


def _sparse(shape, data, order, levels, blocks=()):
    sparsity = schema.SparsityParametersT(
        traversalOrder=np.int32(order), blockMap=np.int32(blocks), dimMetadata=levels
    )
    return _values(shape, "float32", np.float32(data), sparsity=sparsity)


@pytest.mark.parametrize("kind", ["Uint8", "Uint16", "Int32"])
def test_csr_rows(kind) -> None:
    levels = [_level(3), _level(segments=[0, 1, 1, 3], indices=[2, 0, 3], kind=kind)]
    assert _sparse((3, 4), [5, 1, 2], [0, 1], levels).tolist() == [
        [0, 0, 5, 0],
        [0, 0, 0, 0],
        [1, 0, 0, 2],
    ]


def test_a_traversal_order_that_starts_with_the_columns() -> None:
    levels = [_level(3), _level(segments=[0, 1, 1, 2], indices=[1, 0])]
    assert _sparse((2, 3), [7, 8], [1, 0], levels).tolist() == [[0, 0, 8], [7, 0, 0]]


def test_blocks_are_dense_inside() -> None:
    # 4x4 in blocks of 2x2: of the upper blocks the right one, of the lower ones the left
    levels = [_level(2), _level(segments=[0, 1, 2], indices=[1, 0]), _level(2), _level(2)]
    dense = _sparse((4, 4), [1, 2, 3, 4, 5, 6, 7, 8], [0, 1, 2, 3], levels, blocks=[0, 1])
    assert dense.tolist() == [[0, 0, 1, 2], [0, 0, 3, 4], [5, 6, 0, 0], [7, 8, 0, 0]]


@pytest.mark.parametrize(
    ("segments", "indices"),
    [
        ([0, 1, 1, 3], [2, 0, 4]),  # beyond the last column
        ([0, 2, 1, 3], [2, 0, 3]),  # goes back
        ([0, 1, 1, 2], [2, 0, 3]),  # ends before the indices do
        ([0, 1, 3], [2, 0, 3]),  # a row is missing
    ],
)
def test_sparse_indices_that_do_not_fit_are_refused(segments, indices) -> None:
    with pytest.raises(InputError, match="indices of sparse tensor 'w'"):
        _sparse((3, 4), [5, 1, 2], [0, 1], [_level(3), _level(segments=segments, indices=indices)])


def test_a_sparse_tensor_of_any_size_is_not_unpacked() -> None:
    with pytest.raises(InputError, match="too large to unpack"):
        _sparse((2**20, 2**20), [1], [0, 1], [_level(1), _level(segments=[0, 1], indices=[0])])


def test_a_traversal_order_that_names_a_dimension_twice_is_refused() -> None:
    with pytest.raises(InputError, match="traversal order"):
        _sparse((3, 4), [1], [0, 0], [_level(1), _level(segments=[0, 1], indices=[0])])


def test_dequantization_per_tensor_and_per_channel() -> None:
    values = np.int8([[0, 10], [-128, 127]])
    assert dequantized(values, quantization([0.5], [10])).tolist() == [[-5, 0], [-69, 58.5]]
    assert dequantized(values, quantization([0.5, 2], [0, -128])).tolist() == [[0, 5], [0, 510]]
    assert dequantized(values, quantization([1, 2], [0, 0], dimension=1)).tolist() == [
        [0, 20],
        [-128, 254],
    ]
    assert dequantized(values, None).tolist() == values.tolist()


def test_blockwise_quantization_is_refused() -> None:
    blockwise = schema.QuantizationParametersT(
        detailsType=schema.QuantizationDetails.BlockwiseQuantization,
        details=schema.BlockwiseQuantizationT(),
    )
    with pytest.raises(UnsupportedError, match="blockwise"):
        dequantized(np.int8([1]), blockwise)


def test_scales_have_to_fit_the_channels() -> None:
    maker = FileMaker()
    maker.tensor("w", (2, 3), "int8", data=bytes(6), quantization=quantization([1, 2, 3]))
    with pytest.raises(InputError, match="3 scales for 2 channels"):
        read_model(pack_model(maker.model([], [0])))
