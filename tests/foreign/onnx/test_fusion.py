"""What exporters take apart is one layer again; what only looks like it is left alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.onnx_files import NodeSpec, node, onnx_file, weight, whole
from tflite_squeeze.foreign.onnx.importing import import_onnx
from tflite_squeeze.network.graph import graph_of

SEQUENCE, IMAGE = ["b", 6, 8], ["b", 4, 6, 5]


def number(value: float) -> Any:
    """A constant of one element."""
    return np.array(value, np.float32)


def normalization(axis: int = -1) -> list[NodeSpec]:
    """LayerNormalization as exporters wrote it before opset 17."""
    return [
        node("ReduceMean", "x", "m", axes=[axis]), node("Sub", "x m", "d"),
        node("Pow", "d two", "p"), node("ReduceMean", "p", "v", axes=[axis]),
        node("Add", "v e", "ve"), node("Sqrt", "ve", "s"), node("Div", "d s", "n"),
        node("Mul", "n w", "nw"), node("Add", "nw bias", "y"),
    ]  # fmt: skip


GELU = [
    node("Div", "x root", "a"), node("Erf", "a", "e"), node("Add", "e one", "f"),
    node("Mul", "x f", "g"), node("Mul", "g half", "y"),
]  # fmt: skip
HALVES = {"root": number(2**0.5), "one": number(1), "half": number(0.5)}
NORM = {"two": number(2), "e": number(1e-5), "w": weight(8), "bias": weight(8, seed=1)}
CASES: dict[str, Any] = {
    "SiLU": ([node("Sigmoid", "x", "s"), node("Mul", "s x", "y")], SEQUENCE, {}, "Activation"),
    "Mish": (
        [node("Softplus", "x", "s"), node("Tanh", "s", "t"), node("Mul", "x t", "y")],
        SEQUENCE, {}, "Activation",
    ),
    "HardSwish": (
        [node("Add", "x three", "a"), node("Clip", "a zero six", "c"), node("Mul", "x c", "m"),
         node("Div", "m six", "y")],
        SEQUENCE, {"three": number(3), "zero": number(0), "six": number(6)}, "Activation",
    ),
    "GELU": (GELU, SEQUENCE, HALVES, "Activation"),
    "LayerNormalization": (normalization(), SEQUENCE, NORM, "LayerNormalization"),
    "GroupNormalization": (
        [node("Reshape", "x apart", "r"), node("InstanceNormalization", "r ones zeros", "n"),
         node("Reshape", "n back", "u"), node("Mul", "u w", "m"), node("Add", "m bias", "y")],
        IMAGE,
        {"apart": whole(0, 2, -1), "back": whole(0, 4, 6, 5), "ones": np.ones(2, np.float32),
         "zeros": np.zeros(2, np.float32), "w": weight(4, 1, 1), "bias": weight(4, 1, 1, seed=1)},
        "GroupNormalization",
    ),
    "RMSNormalization": (
        [node("Pow", "x two", "p"), node("ReduceMean", "p", "v", axes=[-1]),
         node("Add", "v e", "ve"), node("Sqrt", "ve", "s"), node("Div", "x s", "n"),
         node("Mul", "n w", "y")],
        SEQUENCE, NORM, "RMSNormalization",
    ),
    "a bias": (
        [node("MatMul", "x k", "p"), node("Add", "bias p", "y")], SEQUENCE,
        {"k": weight(8, 8), "bias": weight(8)}, "Dense",
    ),
}  # fmt: skip


def kinds(folder: Path, nodes: Any, shape: Any, weights: Any, opset: int = 14) -> list[str]:
    """The layers of an imported graph."""
    path = onnx_file(folder, nodes, {"x": shape}, weights, opset=opset)
    found = graph_of(import_onnx(path).model).nodes.values()
    return [each.kind for each in found if each.kind != "InputLayer"]


@pytest.mark.parametrize("name", CASES)
def test_many_nodes_are_one_layer(name: str, tmp_path: Path) -> None:
    nodes, shape, weights, kind = CASES[name]
    assert kinds(tmp_path, nodes, shape, weights) == [kind]


def test_another_constant_is_no_gelu(tmp_path: Path) -> None:
    found = kinds(tmp_path, GELU, SEQUENCE, {**HALVES, "half": number(0.6)})
    assert "Activation" not in found
    assert "Erf" in found


def test_a_norm_over_another_axis_is_no_layer_norm(tmp_path: Path) -> None:
    found = kinds(tmp_path, normalization(axis=1), SEQUENCE, NORM)
    assert "LayerNormalization" not in found
    assert found.count("Mean") == 2


def test_a_product_that_is_used_twice_keeps_its_bias_apart(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", "x k", "p"), node("Add", "p bias", "q"), node("Mul", "p q", "y"),
    ]  # fmt: skip
    found = kinds(tmp_path, nodes, SEQUENCE, {"k": weight(8, 8), "bias": weight(8)})
    assert found == ["Dense", "WeightOperation", "Multiply"]
