"""Where axes go, by hand: renamed, put together, and moved only where they must."""

import keras
import numpy as np
import pytest

from tflite_squeeze.foreign.onnx.values import (
    Value,
    flat_order,
    lifted,
    reshaped,
    stored,
    transposed,
)


def image() -> Value:
    """An ONNX image of 1 x 2 x 3 x 4 with its channels last."""
    return Value(tensor=keras.Input((3, 4, 2)), axes=(2, 3, 1), shape=(1, 2, 3, 4))


def test_a_transpose_renames_axes() -> None:
    value = image()
    moved = transposed(value, (0, 2, 3, 1))
    assert moved.tensor is value.tensor
    assert (moved.axes, moved.shape) == ((1, 2, 3), (1, 3, 4, 2))


def test_positions_in_a_row_need_no_permutation() -> None:
    made = reshaped(image(), (1, 2, 12))
    assert (made.axes, made.tensor.shape) == ((2, 1), (None, 12, 2))
    assert type(made.tensor._keras_history.operation).__name__ == "Reshape"


def test_the_order_of_a_flattened_image_is_left_to_the_next_matrix() -> None:
    made = reshaped(image(), (1, 24))
    onnx = np.arange(24).reshape(2, 3, 4)
    assert made.flattened is not None
    assert flat_order(made).tolist() == onnx.transpose(1, 2, 0).ravel().tolist()


def test_two_reshapes_of_which_one_undoes_the_other_are_none() -> None:
    value = image()
    back = reshaped(reshaped(value, (1, 2, 3, 2, 2)), (1, 2, 3, 4))
    assert back.tensor is value.tensor


def test_stored_permutes_where_axes_of_more_than_one_change_places() -> None:
    assert stored(image(), (1, 2, 3)).shape == (None, 2, 3, 4)
    assert stored(image(), (2, 3, 1)) is not None


def test_broadcasting_counts_axes_from_the_end() -> None:
    assert lifted(image(), 6).axes == (4, 5, 3)


def test_axes_that_leave_elements_out_are_refused() -> None:
    with pytest.raises(ValueError, match="leave out"):
        stored(image(), (2, 3))
    with pytest.raises(ValueError, match="do not hold"):
        Value(tensor=keras.Input((3, 4)), axes=(2, 3), shape=(1, 2, 3, 4))
