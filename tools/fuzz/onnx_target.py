"""ONNX files to start from, and how they are changed."""

import random
from pathlib import Path
from typing import Any

import numpy as np
from mutations import changed_bytes

_KINDS = (
    "Add", "Conv", "ConstantOfShape", "Expand", "Gather", "Gemm", "If", "LSTM", "Loop", "MatMul",
    "NonZero", "Pad", "Range", "Relu", "Reshape", "Resize", "Softmax", "Split", "Tile", "Transpose",
)  # fmt: skip
_SIZES = (0, 1, -1, 2, 3, 7, 64, 2**20, 2**31 - 1, 2**62)


def onnx_seeds(folder: Path) -> list[Path]:
    """An image classifier, an attention, a recurrent network."""
    from onnx import TensorProto, helper, numpy_helper

    def saved(name: str, lines: list[tuple[str, str, str, dict[str, Any]]], shape: list[Any],
              weights: dict[str, Any]) -> Path:  # fmt: skip
        nodes = [helper.make_node(kind, given.split(), made.split(), **more)
                 for kind, given, made, more in lines]  # fmt: skip
        graph = helper.make_graph(
            nodes,
            name,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", "n"])],
            [numpy_helper.from_array(value, key) for key, value in weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path = folder / f"{name}.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    def numbers(*shape: int) -> Any:
        return np.random.default_rng(0).standard_normal(shape).astype(np.float32)

    image = [
        ("Conv", "x k b", "c", {"pads": [1, 1, 1, 1], "strides": [2, 2]}), ("Relu", "c", "r", {}),
        ("MaxPool", "r", "p", {"kernel_shape": [2, 2], "ceil_mode": 1}),
        ("Pad", "p pads", "v", {}), ("Flatten", "v", "f", {}), ("Gemm", "f w", "y", {}),
    ]  # fmt: skip
    attention = [
        ("MatMul", "x w", "q", {}), ("Transpose", "q", "t", {"perm": [0, 2, 1]}),
        ("MatMul", "q t", "s", {}), ("Softmax", "s", "a", {}), ("MatMul", "a q", "m", {}),
        ("ReduceMean", "m", "y", {"axes": [1], "keepdims": 0}),
    ]  # fmt: skip
    recurrent = [
        ("Transpose", "x", "t", {"perm": [1, 0, 2]}),
        ("GRU", "t w r", "s h", {"hidden_size": 3, "linear_before_reset": 1}),
        ("Squeeze", "h zero", "y", {}),
    ]  # fmt: skip
    return [
        saved("image", image, ["b", 2, 6, 6],
              {"k": numbers(3, 2, 3, 3), "b": numbers(3), "w": numbers(3 * 4 * 4, 2),
               "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])}),
        saved("attention", attention, ["b", 5, 4], {"w": numbers(4, 4)}),
        saved("recurrent", recurrent, [1, 5, 4],
              {"w": numbers(1, 9, 4), "r": numbers(1, 9, 3), "zero": np.array([0])}),
    ]  # fmt: skip


def changed_onnx(data: bytes, rng: random.Random) -> bytes:
    """A file with its bytes, or a few of its fields changed."""
    from onnx import ModelProto

    if rng.random() < 0.3:
        return changed_bytes(data, rng)
    model = ModelProto.FromString(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        _change(model.graph, rng)
    return bytes(model.SerializeToString())


def _change(graph: Any, rng: random.Random) -> None:
    node, tensor = rng.choice(graph.node), rng.choice(graph.initializer)
    names = [*(each.name for each in graph.initializer), "x", "", "nothing",
             *(name for each in graph.node for name in each.output)]  # fmt: skip
    match rng.randrange(9):
        case 0:
            node.op_type = rng.choice(_KINDS)
        case 1:
            if node.input:
                node.input[rng.randrange(len(node.input))] = rng.choice(names)
        case 2:
            node.input.append(rng.choice(names))
        case 3:
            if node.attribute:
                _change_attribute(rng.choice(node.attribute), rng)
        case 4:
            if tensor.dims:
                tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(_SIZES)
        case 5:
            tensor.data_type = rng.randrange(25)
        case 6:
            tensor.raw_data = changed_bytes(tensor.raw_data, rng)
            if rng.random() < 0.5:
                tensor.data_location = 1
                for key in ("location", "offset", "length"):
                    value = rng.choice(("../x", "/etc/passwd", "0", "-1", str(2**62), "", "x"))
                    tensor.external_data.add(key=key, value=value)
        case 7:
            dims = graph.input[0].type.tensor_type.shape.dim
            rng.choice(dims).dim_value = rng.choice(_SIZES)
        case _:
            graph.node.remove(node)
            if not graph.node or rng.random() < 0.5:
                graph.node.append(node)


def _change_attribute(attribute: Any, rng: random.Random) -> None:
    if attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(_SIZES)
    else:
        attribute.i, attribute.f = rng.choice(_SIZES), rng.choice((0.0, -1.0, 1e38))


def imported(path: Path, _folder: Path) -> object:
    """Rebuilds it, and compares the two."""
    from tflite_squeeze.foreign.onnx.importing import import_onnx

    return import_onnx(path)
