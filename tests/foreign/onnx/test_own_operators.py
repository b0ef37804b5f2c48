"""Operators that ONNX's evaluator has wrong, by hand and against it where it is right."""

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from tests.onnx_files import node, onnx_model, weight
from tflite_squeeze.foreign.onnx.own_operators import (
    average_pool,
    batch_normalization,
    conv_transpose,
    global_max_pool,
    is_own,
    max_pool,
)


def test_a_pool_that_rounds_up_has_no_window_behind_the_image() -> None:
    x = np.arange(5.0)[None, None]
    assert max_pool(x, kernel_shape=[2], strides=[2], ceil_mode=1).tolist() == [[[1, 3, 4]]]
    x = np.arange(4.0)[None, None]
    assert max_pool(x, kernel_shape=[1], strides=[3], ceil_mode=1).tolist() == [[[0, 3]]]


def test_a_mean_counts_what_is_inside_or_the_zeros_too() -> None:
    x = np.array([[[2.0, 4.0]]])
    assert average_pool(x, kernel_shape=[2], pads=[1, 1]).tolist() == [[[2, 3, 4]]]
    counted = average_pool(x, kernel_shape=[2], pads=[1, 1], count_include_pad=1)
    assert counted.tolist() == [[[1, 3, 2]]]


def test_groups_of_a_transposed_convolution_stay_apart() -> None:
    x = np.array([[[1.0], [10.0]]])
    kernel = np.array([[[1.0, 2.0]], [[3.0, 4.0]]])
    assert conv_transpose(x, kernel, group=2).tolist() == [[[1, 2], [30, 40]]]


@pytest.mark.parametrize("more", [{}, {"pads": [1, 0]}, {"dilations": [2]}])
def test_one_group_is_as_the_evaluator_has_it(more: dict[str, list[int]]) -> None:
    x, kernel, bias = weight(2, 3, 5), weight(3, 4, 3, seed=1), weight(4, seed=2)
    attributes = {"strides": [2], **more}
    model = onnx_model(
        [node("ConvTranspose", "x w b", "y", **attributes)], {"x": [2, 3, 5]},
        {"w": kernel, "b": bias},
    )  # fmt: skip
    (wanted,) = ReferenceEvaluator(model).run(None, {"x": x})
    assert conv_transpose(x, kernel, bias, **attributes) == pytest.approx(wanted, abs=1e-5)


def test_statistics_are_the_moving_ones_in_every_opset() -> None:
    x = np.array([[3.0], [5.0]])
    made = batch_normalization(
        x, *np.array([[2.0], [1.0], [1.0], [4.0]]), epsilon=0.0, momentum=0.9
    )
    assert made.tolist() == [[3], [5]]
    assert is_own("BatchNormalization", {"momentum": 0.9}, 1)
    assert not is_own("BatchNormalization", {"training_mode": 1}, 1)


def test_the_largest_of_a_sequence_is_that_of_each_channel() -> None:
    assert global_max_pool(np.array([[[1, 3], [7, 2]]])).tolist() == [[[3], [7]]]
