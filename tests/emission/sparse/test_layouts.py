"""Bytes of sparse layouts, counted on paper."""

import numpy as np
import pytest

from tflite_squeeze.emission.sparse.layouts import (
    Layout,
    cheapest,
    dense_layouts,
    integer_bytes,
    kept_blocks,
    kernel_layouts,
    rows_of,
)

MATRIX = np.int8([[0, 0, 5, 0], [0, 0, 6, 7]])


@pytest.mark.parametrize(("largest", "size"), [(0, 1), (255, 1), (256, 2), (65535, 2), (65536, 4)])
def test_the_narrowest_integer(largest: int, size: int) -> None:
    assert integer_bytes(largest) == size


def test_rows_without_blocks() -> None:
    layout = Layout(shape=(2, 4), order=(0, 1))
    assert (layout.rows, layout.index_bytes) == (2, 1)
    assert rows_of(MATRIX, layout)[:, :, 0].tolist() == MATRIX.tolist()
    # three values, three positions, three row ends
    assert layout.data_bytes(np.count_nonzero(kept_blocks(MATRIX, layout)), item_bytes=1) == 9
    assert layout.data_bytes(3, item_bytes=4) == 12 + 3 + 3


def test_columns_walk_the_transpose() -> None:
    layout = Layout(shape=(2, 4), order=(1, 0))
    assert layout.rows == 4
    assert rows_of(MATRIX, layout)[:, :, 0].tolist() == MATRIX.T.tolist()


def test_blocks_of_inputs_and_of_outputs() -> None:
    inputs = Layout(shape=(2, 4), order=(0, 1), block=2, block_dimension=1)
    assert rows_of(MATRIX, inputs).tolist() == [[[0, 0], [5, 0]], [[0, 0], [6, 7]]]
    assert np.count_nonzero(kept_blocks(MATRIX, inputs)) == 2
    # two blocks of two values and a position each, three row ends
    assert inputs.data_bytes(2, item_bytes=1) == 2 * 3 + 3
    outputs = Layout(shape=(2, 4), order=(0, 1), block=2, block_dimension=0)
    assert rows_of(MATRIX, outputs).tolist() == [[[0, 0], [0, 0], [5, 6], [0, 7]]]
    assert (
        outputs.data_bytes(np.count_nonzero(kept_blocks(MATRIX, outputs)), item_bytes=1)
        == 2 * 3 + 2
    )


def test_a_kernel_without_a_value_keeps_a_zero() -> None:
    layout = Layout(shape=(2, 4), order=(1, 0), block=2, block_dimension=1)
    assert kept_blocks(np.zeros((2, 4)), layout).tolist() == [[True, False], [False, False]]


def test_a_huge_kernel_keeps_as_many_values_as_readers_ask_for() -> None:
    values = np.zeros((600, 500))  # 300,000 = 65,536 + 57.2 x 4,096
    values[0, 1] = 1
    kept = kept_blocks(values, Layout(shape=(600, 500), order=(0, 1)))
    assert np.flatnonzero(kept).tolist() == list(range(58))


def test_wide_positions_and_row_ends_cost_more() -> None:
    layout = Layout(shape=(3, 784), order=(0, 1))
    assert layout.data_bytes(300, item_bytes=1) == 300 * (1 + 2) + 4 * 2


def test_a_dense_layer_splits_its_inputs_until_positions_fit_a_byte() -> None:
    values = np.zeros((300, 784), np.int8)
    values.reshape(-1)[::50] = 1
    best = cheapest(values, dense_layouts((300, 784)), 0)[0]
    assert best.layout.shape == (300, 1, 4, 196)
    count = np.count_nonzero(values)
    assert best.bytes == count * 2 + (1200 + 1) * 2


def test_a_prime_number_of_inputs_keeps_wide_positions() -> None:
    values = np.zeros((300, 811), np.int8)
    values[:, 0] = 1
    assert cheapest(values, dense_layouts((300, 811)), 0)[0].layout.index_bytes == 2


def test_a_first_convolution_lists_its_outputs() -> None:
    values = np.zeros((20, 5, 5, 1), np.int8)
    values[3] = 1
    best = cheapest(values, kernel_layouts(values.shape), 0)[0]
    assert best.layout.listed == 0
    assert best.bytes == 25 * 2 + 26


def test_blocks_win_where_zeros_come_in_blocks() -> None:
    values = np.zeros((16, 64), np.float32)
    values[:, 8:12] = 1
    first, second = cheapest(values, dense_layouts((16, 64)), 0)
    assert first.layout.block > 1
    assert second.layout.block == 1
    assert first.bytes < second.bytes
