import numpy as np
import pytest

from tests.runtime.runtime_files import (
    constant_file,
    counter_file,
    crashing_file,
    named_dense_file,
    quantized_file,
    relu_file,
    svdf_file,
    two_signatures_file,
)
from tests.tiny_files import dense_file
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.runtime.run import run_file

X = np.float32([[1, 2, 3], [4, 5, 6]])
# relu([[1, 0, -2], [0.5, 0, 1]] @ x + [1, -1])
Y = [[0, 2.5], [0, 7]]


def test_a_dense_layer_by_hand() -> None:
    result = run_file(named_dense_file(), {"features": X})
    assert result.signature == "serve"
    assert result.batch == 1
    assert result.tensors == ()
    np.testing.assert_allclose(result.outputs["scores"], Y)


def test_integers_go_in_as_reals_where_the_file_takes_reals() -> None:
    result = run_file(named_dense_file(), {"features": X.astype(np.uint8)})
    np.testing.assert_allclose(result.outputs["scores"], Y)


def test_a_fixed_batch_is_filled_up_and_what_filled_it_is_cut_off() -> None:
    x = np.arange(-6, 6, dtype=np.float32).reshape(6, 2)
    result = run_file(relu_file((4, 2)), {"x": x})
    assert result.batch == 4
    np.testing.assert_array_equal(result.outputs["y"], np.maximum(x, 0))


def test_an_open_batch_runs_one_by_one() -> None:
    x = np.arange(-6, 6, dtype=np.float32).reshape(6, 2)
    result = run_file(relu_file((1, 2), (-1, 2)), {"x": x})
    assert result.batch == 1
    np.testing.assert_array_equal(result.outputs["y"], np.maximum(x, 0))


def test_an_input_without_batch_axis_takes_one_example_at_a_time() -> None:
    x = np.float32([[-1, 1, 2], [3, -4, 5]])
    np.testing.assert_array_equal(
        run_file(relu_file((3,)), {"x": x}).outputs["y"], np.maximum(x, 0)
    )


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", -28), ("uint8", 100)])
def test_reals_are_quantized_on_the_way_in_and_dequantized_on_the_way_out(
    dtype: str, zero_point: int
) -> None:
    tflite = quantized_file(dtype, 0.5, zero_point)
    x = np.array([[0.0, 1.0, -2.5, 0.6], [3.0, 1000.0, -1000.0, 0.4]])
    out = run_file(tflite, {"q": x}).outputs["out"]
    limits = np.iinfo(dtype)
    most, least = (limits.max - zero_point) * 0.5, (limits.min - zero_point) * 0.5
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, [[0, 1, -2.5, 0.5], [3, most, least, 0.5]])
    levels = np.array([[zero_point, zero_point + 2, zero_point - 5, zero_point + 1]], dtype)
    np.testing.assert_array_equal(run_file(tflite, {"q": levels}).outputs["out"], out[:1])


@pytest.mark.parametrize(("make", "expected"), [(svdf_file, 1), (counter_file, 11)])
def test_examples_do_not_depend_on_each_other(make, expected: float) -> None:
    out = run_file(make(), {"x": np.ones((3, 1), np.float32)}).outputs["y"]
    np.testing.assert_array_equal(out, np.full((3, 1), expected))


def test_the_first_signature_runs_unless_another_is_named() -> None:
    x = {"x": np.float32([[-1, 2]])}
    named = run_file(two_signatures_file(), x, signature="negate")
    np.testing.assert_array_equal(named.outputs["y"], [[1, -2]])
    assert run_file(two_signatures_file(), x).signature == "relu"


def test_every_operator_shows_what_it_put_out() -> None:
    tflite = quantized_file("int8", 0.5, 0)
    x = np.float32([[1, 2, 3, 4]]).repeat(9, axis=0)
    tensors = run_file(tflite, {"q": x}, keep_tensors=True).tensors
    assert [(item.name, item.op_name, item.operator) for item in tensors] == [
        ("real", "DEQUANTIZE", 0),
        ("out", "QUANTIZE", 1),
    ]
    for item in tensors:  # of the first 8 examples
        np.testing.assert_array_equal(item.values, x[:8])


def test_a_file_without_inputs_runs_once() -> None:
    np.testing.assert_array_equal(run_file(constant_file(), {}).outputs["y"], [[0, 2]])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "takes inputs x; got none"),
        ({"y": X}, "takes inputs x; got y"),
        ({"x": X[0]}, r"takes shape \(1, 3\), so the array must be \(N, 3\)"),
        ({"x": X[:, :2]}, r"got \(2, 2\)"),
        ({"x": X[:0]}, "at least one"),
        ({"x": np.float32(1)}, "at least one"),
        ({"x": np.array([["a", "b", "c"]])}, "got str.* that does not fit it"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run_file(dense_file(), inputs)


def test_no_threads_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1; got 0"):
        run_file(dense_file(), {"x": X}, threads=0)


@pytest.mark.own_process
def test_a_file_that_would_crash_the_runtime_is_refused_before() -> None:
    with pytest.raises(InputError, match="its subgraph 0 runs itself"):
        run_file(crashing_file(), {"x": np.ones(1, bool)})


def test_a_stream_goes_on_where_the_last_example_left_the_state() -> None:
    x = np.ones((3, 1), np.float32)
    apart = run_file(counter_file(), {"x": x}).outputs["y"]
    stream = run_file(counter_file(), {"x": x}, stream=True).outputs["y"]
    np.testing.assert_array_equal(apart.ravel(), [11, 11, 11])
    np.testing.assert_array_equal(stream.ravel(), [11, 12, 13])
