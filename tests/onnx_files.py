"""Tiny ONNX files, built node by node."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper, shape_inference

Array = NDArray[Any]
NodeSpec = tuple[str, Sequence[str], Sequence[str], Mapping[str, Any]]


def node(kind: str, inputs: str, outputs: str, **attributes: Any) -> NodeSpec:
    """One operator; names are separated by spaces, and "-" is one that is left out."""
    names = [["" if each == "-" else each for each in one.split()] for one in (inputs, outputs)]
    return kind, names[0], names[1], attributes


def onnx_model(
    nodes: Sequence[NodeSpec],
    inputs: Mapping[str, Sequence[int | str]],
    weights: Mapping[str, Array] | None = None,
    *,
    outputs: str = "y",
    opset: int = 17,
    integers: bool = False,
) -> ModelProto:
    """A model of these nodes.

    Args:
        nodes: as `node` makes them, in order.
        inputs: shapes by name; a text leaves a size open.
        weights: arrays by name.
        outputs: their names, separated by spaces.
        opset: of the operators.
        integers: whether the inputs are whole numbers.
    """
    kind = TensorProto.INT64 if integers else TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(one, given, made, **more) for one, given, made, more in nodes],
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.split()],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    inferred = shape_inference.infer_shapes(made)
    for value in inferred.graph.output:  # an output has to have a shape, if only an empty one
        value.type.tensor_type.shape.SetInParent()
    return inferred


def onnx_file(folder: Path, *args: Any, **options: Any) -> Path:
    """The same as a file."""
    path = folder / "tiny.onnx"
    path.write_bytes(onnx_model(*args, **options).SerializeToString())
    return path


def weight(*shape: int, seed: int = 0) -> Array:
    """Random float32 numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def whole(*numbers: int) -> Array:
    """Whole numbers, as shapes and axes are."""
    return np.array(numbers, np.int64)


def classifier(channels: int = 4) -> tuple[list[NodeSpec], dict[str, Any], dict[str, Array]]:
    """A convolution, batch normalization, pool and linear layer on an image of 3 x 8 x 8."""
    nodes = [
        node("Conv", "x conv.weight", "a", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", "a bn.weight bn.bias mean var", "b"),
        node("Relu", "b", "c"),
        node("Flatten", "c", "d"),
        node("Gemm", "d fc.weight fc.bias", "y", transB=1),
    ]
    weights = {
        "conv.weight": weight(channels, 3, 3, 3), "bn.weight": weight(channels, seed=1),
        "bn.bias": weight(channels, seed=2), "mean": weight(channels, seed=3),
        "var": np.abs(weight(channels, seed=4)) + 0.5,
        "fc.weight": weight(5, channels * 16, seed=5), "fc.bias": weight(5, seed=6),
    }  # fmt: skip
    return nodes, {"x": ["batch", 3, 8, 8]}, weights
