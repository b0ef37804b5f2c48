"""Names that are short and differ, and a batch that is open where shapes tell where it is."""

import numpy as np
import pytest
from onnx import ModelProto, checker, numpy_helper
from onnx.reference import ReferenceEvaluator

from tests.onnx_files import node, onnx_model, weight, whole
from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.exporting.tidying import (
    in_order,
    in_pairs,
    renamed,
    shorter_names,
    with_open_batch,
    with_unsigned_activations,
)


def test_values_are_called_after_their_layers() -> None:
    names = "net/one/MatMul;net/one/bias__12 net/one/MatMul:0"
    nodes = [
        node("MatMul", "x net/one/kernel:0", names.split()[0]),
        node("Relu", names.split()[0], names.split()[1]),
        node("Identity", names.split()[1], "y"),
    ]
    model = onnx_model(nodes, {"x": [1, 3]}, {"net/one/kernel:0": weight(3, 2)})
    shorter_names(model)
    first, second, third = model.graph.node
    assert list(first.input) == ["x", "one/kernel"]
    assert (first.output[0], second.output[0], third.output[0]) == (
        "one/MatMul", "one/MatMul_2", "y"
    )  # fmt: skip
    assert second.input[0] == first.output[0]


def test_ends_get_other_names_and_another_order() -> None:
    nodes = [node("Relu", "x", "y"), node("Neg", "x", "z")]
    model = onnx_model(nodes, {"x": [1, 3]}, outputs="y z")
    in_order(renamed(model, {"x": "image", "y": "scores"}), ["z", "scores"])
    assert [one.name for one in model.graph.input] == ["image"]
    assert [one.name for one in model.graph.output] == ["z", "scores"]
    assert [list(one.input) for one in model.graph.node] == [["image"], ["image"]]


def test_a_batch_of_one_is_opened() -> None:
    nodes = [
        node("Reshape", "x flat", "f"), node("Reshape", "f table", "t"), node("Neg", "t", "y")
    ]  # fmt: skip
    shapes = {"flat": whole(1, 6), "table": whole(1, -1, 2)}
    model = onnx_model(nodes, {"x": [1, 2, 3]}, shapes)
    opened = with_open_batch(model)
    (taken,) = opened.graph.input
    assert [one.dim_param or one.dim_value for one in taken.type.tensor_type.shape.dim] == [
        "batch", 2, 3
    ]  # fmt: skip
    found = {one.name: numpy_helper.to_array(one).tolist() for one in opened.graph.initializer}
    assert found == {"flat": [-1, 6], "table": [0, -1, 2]}
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1


def test_another_batch_is_not_opened() -> None:
    model = onnx_model([node("Neg", "x", "y")], {"x": [4, 3]})
    with pytest.raises(UnsupportedError, match="another batch than 1"):
        with_open_batch(model)
    assert np.prod([one.dim_value for one in model.graph.input[0].type.tensor_type.shape.dim]) == 12


def _moved_integers() -> ModelProto:
    """Three readers of one activation, two of them behind a Reshape of its integers."""
    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node("Reshape", "q shape", "flat"),
        node("DequantizeLinear", "flat s z", "one"),
        node("DequantizeLinear", "q s z", "two"),
        node("Reshape", "q shape", "again"),
        node("DequantizeLinear", "again s z", "three"),
        node("DequantizeLinear", "w s zw", "kernel"),
        node("MatMul", "one kernel", "y"),
        node("Neg", "two", "v"),
        node("Neg", "three", "u"),
    ]
    weights = {
        "s": np.float32(0.5), "z": np.int8(-28), "zw": np.int8(0), "shape": whole(1, 4),
        "w": np.array([[1], [-2], [3], [-4]], np.int8),
    }  # fmt: skip
    return onnx_model(nodes, {"x": [1, 2, 2]}, weights, outputs="y v u", opset=19)


def test_integers_are_moved_between_pairs() -> None:
    model = _moved_integers()
    x = np.array([[[0.4, 1.2], [-3.0, 8.0]]], np.float32)
    before = ReferenceEvaluator(model).run(None, {"x": x})
    in_pairs(model)
    checker.check_model(model)
    after = ReferenceEvaluator(model).run(None, {"x": x})
    assert [one.tolist() for one in after] == [one.tolist() for one in before]
    integers = {one.output[0] for one in model.graph.node if one.op_type == "QuantizeLinear"}
    readers = [one.op_type for one in model.graph.node if integers & set(one.input)]
    assert set(readers) == {"DequantizeLinear"}


def test_activations_become_unsigned_and_weights_do_not() -> None:
    model = in_pairs(_moved_integers())
    x = np.array([[[0.4, 1.2], [-3.0, 80.0]]], np.float32)
    before = ReferenceEvaluator(model).run(None, {"x": x})
    with_unsigned_activations(model)
    after = ReferenceEvaluator(model).run(None, {"x": x})
    assert [one.tolist() for one in after] == [one.tolist() for one in before]
    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    assert constants["w"].dtype == np.int8
    points = {
        one.input[2]: constants[one.input[2]]
        for one in model.graph.node if one.op_type == "QuantizeLinear"
    }  # fmt: skip
    assert [(one.dtype.name, int(one)) for one in points.values()] == [("uint8", 100)]


def test_a_constant_that_is_a_zero_point_too_stays_one() -> None:
    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node("DequantizeLinear", "q s z", "one"),
        node("DequantizeLinear", "z s v", "constant"),
        node("DequantizeLinear", "v s z", "other"),
        node("Add", "one constant", "sum"),
        node("Add", "sum other", "y"),
    ]
    weights = {"s": np.float32(0.5), "z": np.int8(3), "v": np.int8(-7)}
    model = onnx_model(nodes, {"x": [1, 2]}, weights, opset=19)
    x = np.array([[0.4, 1.2]], np.float32)
    before = ReferenceEvaluator(model).run(None, {"x": x})
    with_unsigned_activations(model)
    checker.check_model(model, full_check=True)
    assert ReferenceEvaluator(model).run(None, {"x": x})[0].tolist() == before[0].tolist()
    assert sorted(one.name for one in model.graph.initializer) == ["s", "v_unsigned", "z_unsigned"]


def test_integers_of_a_table_stay_as_they_are() -> None:
    nodes = [node("Gather", "w x", "q"), node("DequantizeLinear", "q s z", "y")]
    weights = {
        "s": np.float32(0.5), "z": np.int8(3), "w": np.array([[1, -2], [3, 4]], np.int8)
    }  # fmt: skip
    model = onnx_model(nodes, {"x": [1]}, weights, opset=19, integers=True)
    with_unsigned_activations(model)
    (answer,) = ReferenceEvaluator(model).run(None, {"x": np.array([1])})
    assert answer.tolist() == [[0.0, 0.5]]


def test_integers_at_the_ends_stay_as_they_are() -> None:
    nodes = [node("QuantizeLinear", "x s z", "y")]
    model = onnx_model(nodes, {"x": [1, 2]}, {"s": np.float32(0.5), "z": np.int8(3)})
    with_unsigned_activations(model)
    assert model.graph.node[0].input[2] == "z"
