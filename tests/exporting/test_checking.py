"""How far apart two outputs are, in numbers and in steps; and what is refused."""

import numpy as np
import pytest

from tests.onnx_files import node, onnx_model, weight
from tflite_squeeze.errors import CheckFailed, RuntimeFailure
from tflite_squeeze.exporting.checking import _referenced, agreement, check, evaluator
from tflite_squeeze.exporting.config import ExportOnnx


def test_floats_are_compared_with_the_largest_value() -> None:
    one = agreement("y", np.array([1.0, -4.0]), np.array([1.0, -4.0 + 4e-3]), None)
    assert one.largest == pytest.approx(1e-3, rel=2e-3)
    assert one.step is None
    assert agreement("y", np.array([np.nan]), np.array([1.0]), None).largest == float("inf")
    assert agreement("y", np.zeros((2, 3)), np.zeros((2, 4)), None).largest == float("inf")


def test_integers_are_compared_in_steps() -> None:
    one = agreement("y", np.array([0.0, 1.5, 0.5, 2.5]), np.array([0.0, 1.0, 0.5, 1.5]), 0.5)
    assert (one.same, one.largest_steps, one.mean_steps) == (0.5, 2.0, 0.75)
    # Without a scale of its own a step is 1/255 of the range.
    assert agreement("y", np.array([0.0, 255.0]), np.array([0.0, 255.0]), 0.0).step == 1.0


def test_what_differs_is_refused() -> None:
    wanted = {"y": np.array([0.0, 1.0])}
    near, far = {"y": np.array([0.0, 1.000001])}, {"y": np.array([0.0, 1.001])}
    assert check(near, wanted, None, ExportOnnx(), "net")[0].largest < 1e-5
    with pytest.raises(CheckFailed, match=r"differs from the model by 0\.001"):
        check(far, wanted, None, ExportOnnx(), "net")
    check(far, wanted, {"y": 0.01}, ExportOnnx(), "net")
    with pytest.raises(CheckFailed, match=r"steps of output 'y' in the mean, more than 0\.5"):
        check({"y": np.array([0.0, 1.03])}, wanted, {"y": 0.01}, ExportOnnx(), "net")


def test_onnx_evaluates_integers_of_older_operators() -> None:
    nodes = [
        node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "y"),
    ]  # fmt: skip
    weights = {"s": np.float32(0.5), "z": np.int8(0)}
    model = onnx_model(nodes, {"x": ["batch", 2]}, weights, opset=17)
    answers = _referenced(model, {"x": np.array([[0.3, 1.1], [0.1, 100]], np.float32)}, 1)
    assert answers["y"].tolist() == [[0.5, 1.0], [0.0, 63.5]]


def test_the_runtime_evaluates_where_it_is_installed() -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    said, evaluate = evaluator()
    model = onnx_model([node("Neg", "x", "y")], {"x": ["batch", 2]})
    x = weight(3, 2)
    assert said == "ONNX Runtime"
    assert evaluate(model, {"x": x}, 3)["y"] == pytest.approx(-x)


def test_what_onnx_cannot_compute_is_one_line() -> None:
    model = onnx_model([node("MatMul", "x w", "y")], {"x": ["batch", 3]}, {"w": weight(3, 2)})
    with pytest.raises(RuntimeFailure, match="ONNX's evaluator cannot compute the file"):
        _referenced(model, {"x": weight(2, 5)}, 2)
