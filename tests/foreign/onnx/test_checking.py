"""An import that is wrong is found, at the batch and the node where it begins to be."""

from pathlib import Path
from typing import Any

import keras
import pytest

from tests.onnx_files import classifier, node, onnx_file, weight
from tflite_squeeze.errors import CheckFailed
from tflite_squeeze.foreign.onnx import registry
from tflite_squeeze.foreign.onnx.importing import import_onnx
from tflite_squeeze.foreign.onnx.registry import Call
from tflite_squeeze.foreign.onnx.values import Value


def test_a_classifier_agrees_at_both_batches(tmp_path: Path) -> None:
    made = import_onnx(onnx_file(tmp_path, *classifier()))
    assert made.agreement.largest < 1e-5
    assert made.agreement.batches == (1, 3)
    kinds = [type(each).__name__ for each in made.model.layers[1:]]
    assert kinds == [
        "ZeroPadding2D", "Conv2D", "BatchNormalization", "ReLU", "Flatten", "Dense"
    ]  # fmt: skip
    assert [each.name for each in made.model.layers if each.weights] == ["conv", "bn", "fc"]


def test_the_first_node_that_differs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(call: Call) -> Value:
        value = call.value()
        return call.same(keras.layers.LeakyReLU(0.01)(value.tensor), value)

    registry.handlers()
    monkeypatch.setitem(registry._HANDLERS, "Relu", wrong)
    with pytest.raises(CheckFailed, match=r"first node that differs is 'c' \(Relu\)"):
        import_onnx(onnx_file(tmp_path, *classifier()))


def test_what_mixes_the_examples_of_a_batch_is_found(tmp_path: Path) -> None:
    nodes = [node("ReduceMean", "x", "y", axes=[0])]
    with pytest.raises(CheckFailed, match=r"\[1, 4\] for one example and \[1, 4\]"):
        import_onnx(onnx_file(tmp_path, nodes, {"x": ["b", 4]}))


def test_a_file_that_fixes_the_batch_is_compared_one_by_one(tmp_path: Path) -> None:
    nodes: list[Any] = [node("MatMul", "x w", "y")]
    made = import_onnx(onnx_file(tmp_path, nodes, {"x": [1, 4]}, {"w": weight(4, 2)}))
    assert "one example at a time" in made.agreement.evaluator
    assert made.model.input_shape == (None, 4)
