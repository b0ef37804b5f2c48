"""Each operator becomes the layer that it is, and computes what ONNX's evaluator does.

`import_onnx` compares the two at two batch sizes, and raises where they differ.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.onnx_files import node, onnx_file, weight, whole
from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.foreign.onnx.importing import import_onnx
from tflite_squeeze.network.graph import graph_of

IMAGE, SEQUENCE, SIGNAL = ["b", 4, 9, 8], ["b", 6, 8], ["b", 4, 12]
SINGLE = [1, 4, 9, 8]
_KINDS = ("LSTM", "GRU", "SimpleRNN")
RNN: dict[str, Any] = {"hidden_size": 5}


def recurrent(kind: str, gates: int, directions: int = 1, **attributes: Any) -> Any:
    """A recurrent layer behind a Transpose to time first."""
    weights = {
        "w": weight(directions, gates * 5, 8), "r": weight(directions, gates * 5, 5, seed=1),
        "b": weight(directions, 2 * gates * 5, seed=2),
    }  # fmt: skip
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node(kind, "t w r b", "s last", **RNN, **attributes),
        node("Transpose", "s", "u", perm=[2, 0, 1, 3]),
        node("Reshape", "u shape", "whole"),
        node("Transpose", "last", "v", perm=[1, 0, 2]),
        node("Flatten", "v", "w2"),
        node("Unsqueeze", "w2 one", "w3"),
        node("Add", "whole w3", "y"),
    ]
    return nodes, SEQUENCE, {**weights, "shape": whole(0, 0, -1), "one": whole(1)}


def _reset(kind: str) -> dict[str, Any]:
    return {"linear_before_reset": 1} if kind == "GRU" else {}


def conv(shape: list[Any], kernel: tuple[int, ...], **attributes: Any) -> Any:
    """A convolution with a bias."""
    more = {"w": weight(*kernel), "bias": weight(kernel[0], seed=1)}
    if "transposed" in attributes:
        attributes.pop("transposed")
        more["bias"] = weight(kernel[1] * attributes.get("group", 1), seed=1)
        return [node("ConvTranspose", "x w bias", "y", **attributes)], shape, more
    return [node("Conv", "x w bias", "y", **attributes)], shape, more


def one(kind: str, shape: list[Any] = IMAGE, **attributes: Any) -> Any:
    """A single operator on an input alone."""
    return [node(kind, "x", "y", **attributes)], shape, {}


def constant(kind: str, array: Any, shape: list[Any] = IMAGE, *, first: bool = False) -> Any:
    """An operator of an image with a constant."""
    prior = node("Conv", "x k", "c", kernel_shape=[1, 1])
    return (
        [prior, node(kind, "w c" if first else "c w", "y")],
        shape,
        {"k": weight(4, 4, 1, 1), "w": np.asarray(array, np.float32)},
    )


RESIZE: dict[str, Any] = {"scales": np.array([1, 1, 2, 2], np.float32)}
STRIDED: dict[str, Any] = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
CASES: dict[str, tuple[Any, str]] = {
    "Conv": (conv(IMAGE, (6, 4, 3, 3), pads=[1, 1, 1, 1]), "Conv2D"),
    "Conv strided": (conv(IMAGE, (6, 4, 3, 3), **STRIDED), "ZeroPadding2D Conv2D"),
    "Conv of TensorFlow": (
        conv(["b", 4, 8, 8], (6, 4, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]), "Conv2D"
    ),
    "Conv SAME_LOWER": (conv(IMAGE, (6, 4, 2, 2), auto_pad="SAME_LOWER"), "ZeroPadding2D Conv2D"),
    "Conv dilated": (conv(IMAGE, (6, 4, 3, 3), dilations=[2, 1], pads=[2, 1, 2, 1]), "Conv2D"),
    "Conv grouped": (conv(IMAGE, (6, 2, 3, 3), group=2), "Conv2D"),
    "Conv depthwise": (conv(IMAGE, (8, 1, 3, 3), group=4, **STRIDED),
                       "ZeroPadding2D DepthwiseConv2D"),
    "Conv depthwise, two strides": (
        conv(IMAGE, (4, 1, 3, 3), group=4, strides=[2, 1]), "DepthwiseConv2D MaxPooling2D"
    ),
    "Conv of one channel": (conv(["b", 1, 5, 5], (3, 1, 3, 3)), "Conv2D"),
    "Conv 1D": (conv(SIGNAL, (6, 4, 3), pads=[2, 0]), "ZeroPadding1D Conv1D"),
    "Conv 1D depthwise": (conv(SIGNAL, (4, 1, 3), group=4), "DepthwiseConv1D"),
    "Conv 3D": (conv(["b", 2, 4, 5, 6], (3, 2, 3, 3, 3), pads=[1] * 6), "Conv3D"),
    "ConvTranspose": (
        conv(IMAGE, (4, 6, 2, 2), transposed=True, strides=[2, 2]), "Conv2DTranspose"
    ),
    "ConvTranspose same": (
        conv(IMAGE, (4, 6, 4, 4), transposed=True, strides=[2, 2], pads=[1, 1, 1, 1]),
        "Conv2DTranspose",
    ),
    "ConvTranspose with more at the end": (
        conv(IMAGE, (4, 6, 3, 3), transposed=True, strides=[2, 2], pads=[1, 1, 1, 1],
             output_padding=[1, 1]),
        "Conv2DTranspose Cropping2D",
    ),
    "ConvTranspose with zeros at the end": (
        conv(IMAGE, (4, 6, 2, 2), transposed=True, strides=[2, 2], output_padding=[1, 1]),
        "ZeroPadding2D Conv2DTranspose Cropping2D",
    ),
    "ConvTranspose with gaps": (
        conv(IMAGE, (4, 6, 1, 1), transposed=True, strides=[2, 2]), "Conv2DTranspose Cropping2D"
    ),
    "ConvTranspose grouped": (
        conv(IMAGE, (4, 3, 2, 2), transposed=True, group=2, strides=[2, 2]),
        "Split Conv2DTranspose Conv2DTranspose Concatenate",
    ),
    "ConvTranspose 1D": (
        conv(SIGNAL, (4, 3, 4), transposed=True, strides=[2], pads=[1, 1]), "Conv1DTranspose"
    ),
    "MaxPool": (one("MaxPool", kernel_shape=[2, 2], strides=[2, 2]), "MaxPooling2D"),
    "MaxPool with a border": (
        one("MaxPool", kernel_shape=[3, 3], **STRIDED), "Pad MaxPooling2D"
    ),
    "MaxPool rounded up": (
        one("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), "MaxPooling2D"
    ),
    "AveragePool": (one("AveragePool", kernel_shape=[3, 3], strides=[2, 2]), "AveragePooling2D"),
    "AveragePool with a border": (
        one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), "AveragePooling2D"
    ),
    "AveragePool counting the border": (
        one("AveragePool", kernel_shape=[3, 3], count_include_pad=1, **STRIDED),
        "Pad AveragePooling2D",
    ),
    "AveragePool strided with a border": (
        one("AveragePool", ["b", 4, 8, 8], kernel_shape=[3, 3], **STRIDED),
        "Pad AveragePooling2D WeightOperation",
    ),
    "AveragePool 1D": (one("AveragePool", SIGNAL, kernel_shape=[2]), "AveragePooling1D"),
    "GlobalAveragePool": (one("GlobalAveragePool"), "GlobalAveragePooling2D"),
    "GlobalMaxPool": (one("GlobalMaxPool", SIGNAL), "GlobalMaxPooling1D"),
    "BatchNormalization": (
        ([node("BatchNormalization", "x s b m v", "y")], IMAGE,
         {"s": weight(4), "b": weight(4), "m": weight(4), "v": np.abs(weight(4)) + 1}),
        "BatchNormalization",
    ),
    "LayerNormalization": (
        ([node("LayerNormalization", "x s b", "y", epsilon=1e-3)], SEQUENCE,
         {"s": weight(8), "b": weight(8)}),
        "LayerNormalization",
    ),
    "LayerNormalization of images": (
        ([node("Conv", "x k", "c"), node("Transpose", "c", "t", perm=[0, 2, 3, 1]),
          node("LayerNormalization", "t s b", "u"),
          node("Transpose", "u", "y", perm=[0, 3, 1, 2])],
         IMAGE, {"k": weight(4, 4, 1, 1), "s": weight(4), "b": weight(4)}),
        "Conv2D LayerNormalization",
    ),
    "InstanceNormalization": (
        ([node("InstanceNormalization", "x s b", "y")], IMAGE, {"s": weight(4), "b": weight(4)}),
        "GroupNormalization",
    ),
    "Relu": (one("Relu"), "ReLU"),
    "LeakyRelu": (one("LeakyRelu", alpha=0.2), "LeakyReLU"),
    "Elu": (one("Elu"), "ELU"),
    "HardSwish": (one("HardSwish"), "Activation"),
    "HardSigmoid": (one("HardSigmoid", alpha=1 / 6), "Activation"),
    "HardSigmoid of ONNX": (one("HardSigmoid"), "Rescaling Clip"),
    "PRelu": (([node("PRelu", "x s", "y")], IMAGE, {"s": weight(4, 1, 1)}), "PReLU"),
    "Clip": (
        ([node("Clip", "x low high", "y")], IMAGE,
         {"low": np.float32(0).reshape(()), "high": np.float32(6).reshape(())}),
        "ReLU",
    ),
    "Softmax": (one("Softmax", axis=1), "Softmax"),
    "Add a number": (constant("Add", 2.0), "Conv2D Rescaling"),
    "Subtract from a number": (constant("Sub", 2.0, first=True), "Conv2D Rescaling"),
    "Divide a number": (constant("Div", 2.0, first=True), "Conv2D Divide"),
    "Multiply channels": (
        constant("Mul", np.arange(4).reshape(4, 1, 1)), "Conv2D WeightOperation"
    ),
    "Subtract from an image": (
        constant("Sub", np.arange(72).reshape(9, 8), first=True), "Conv2D WeightOperation"
    ),
    "MatMul": (([node("MatMul", "x w", "y")], SEQUENCE, {"w": weight(8, 3)}), "Dense"),
    "MatMul of values": (
        ([node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t", "y")], SEQUENCE, {}),
        "Permute Matmul",
    ),
    "Einsum": (
        ([node("Einsum", "x x", "y", equation="bij,bkj->bik")], SEQUENCE, {}), "Einsum"
    ),
    "Flatten before Gemm": (
        ([node("Relu", "x", "r"), node("MaxPool", "r", "p", kernel_shape=[2, 2]),
          node("Flatten", "p", "f"), node("Gemm", "f w b", "y", alpha=0.5)],
         IMAGE, {"w": weight(4 * 8 * 7, 3), "b": weight(3)}),
        "ReLU MaxPooling2D Flatten Dense",
    ),
    "Shuffle of channels": (
        ([node("Conv", "x k", "c", kernel_shape=[1, 1]), node("Reshape", "c apart", "r"),
          node("Transpose", "r", "t", perm=[0, 2, 1, 3, 4]), node("Reshape", "t whole", "y")],
         IMAGE, {"k": weight(4, 4, 1, 1), "apart": whole(0, 2, 2, 9, 8),
                 "whole": whole(0, 4, 9, 8)}),
        "Conv2D Reshape Permute Reshape",
    ),
    "Concat": (
        ([node("Conv", "x k", "c", kernel_shape=[1, 1]), node("Concat", "c x", "y", axis=1)],
         IMAGE, {"k": weight(4, 4, 1, 1)}),
        "Conv2D Concatenate",
    ),
    "Concat with a token": (
        ([node("Expand", "t s", "e"), node("Concat", "e x", "y", axis=1)], [1, 6, 8],
         {"t": weight(1, 1, 8), "s": whole(1, 1, 8)}),
        "Parameter Concatenate",
    ),
    "Slice": (
        ([node("Slice", "x s e a t", "y")], IMAGE,
         {"s": whole(1, -1), "e": whole(9, -8), "a": whole(2, 3), "t": whole(2, -2)}),
        "GetItem",
    ),
    "Split": (
        ([node("Split", "x sizes", "a b2", axis=2), node("Concat", "b2 a", "y", axis=2)], IMAGE,
         {"sizes": whole(2, 7)}),
        "GetItem GetItem Concatenate",
    ),
    "Gather": (
        ([node("Gather", "x i", "y", axis=1)], SEQUENCE, {"i": whole(4, 0, 2)}), "Take"
    ),
    "Gather of one": (
        ([node("Gather", "x i", "y", axis=1)], SEQUENCE, {"i": np.array(-1)}), "GetItem"
    ),
    "Pad": (
        ([node("Conv", "x k", "c", kernel_shape=[1, 1]), node("Pad", "c p", "y")], IMAGE,
         {"k": weight(4, 4, 1, 1), "p": whole(0, 0, 1, 0, 0, 0, 2, 3)}),
        "Conv2D ZeroPadding2D",
    ),
    "Pad by a mirror": (
        ([node("Pad", "x p", "y", mode="reflect")], IMAGE,
         {"p": whole(0, 0, 1, 2, 0, 0, 1, 2)}),
        "Pad",
    ),
    "ReduceMean": (one("ReduceMean", SEQUENCE, axes=[1], keepdims=0), "Mean"),
    "ReduceMean of images": (
        ([node("Conv", "x k", "c", kernel_shape=[1, 1]),
          node("ReduceMean", "c", "y", axes=[2, 3])], IMAGE, {"k": weight(4, 4, 1, 1)}),
        "Conv2D GlobalAveragePooling2D",
    ),
    "ReduceMax of all but one": (one("ReduceMax", axes=[1, 3], keepdims=0), "Max"),
    "ReduceL2": (one("ReduceL2", SEQUENCE, axes=[-1]), "Square Sum Sqrt"),
    "DepthToSpace": (
        one("DepthToSpace", ["b", 8, 3, 4], blocksize=2), "Reshape Permute Reshape"
    ),
    "SpaceToDepth": (
        one("SpaceToDepth", ["b", 2, 6, 4], blocksize=2), "Reshape Permute Reshape"
    ),
    "Resize": (
        ([node("Resize", "x - scales", "y", mode="nearest")], IMAGE, RESIZE), "UpSampling2D"
    ),
    "Resize linear": (
        ([node("Resize", "x - scales", "y", mode="linear")], IMAGE, RESIZE), "UpSampling2D"
    ),
    "Resize with aligned corners": (
        ([node("Resize", "x - scales", "y", mode="linear",
               coordinate_transformation_mode="align_corners")], IMAGE, RESIZE),
        "Interpolation",
    ),
    "Resize to a size": (
        ([node("Resize", "x - - size", "y", mode="linear")], SINGLE, {"size": whole(1, 4, 5, 11)}),
        "Interpolation",
    ),
    "Resize to a size, nearest": (
        ([node("Resize", "x - - size", "y", mode="nearest")], SINGLE, {"size": whole(1, 4, 5, 11)}),
        "Take Take",
    ),
    "Where": (
        ([node("Greater", "x zero", "g"), node("Where", "g x zero", "y")], SEQUENCE,
         {"zero": np.float32(0).reshape(())}),
        "Greater Where",
    ),
    "LSTM": (recurrent("LSTM", 4), "LSTM"),
    "LSTM both ways": (recurrent("LSTM", 4, 2, direction="bidirectional"), "Bidirectional"),
    "GRU": (recurrent("GRU", 3, linear_before_reset=1), "GRU"),
    "GRU of ONNX": (recurrent("GRU", 3), "GRU"),
    "GRU backwards": (recurrent("GRU", 3, direction="reverse"), "GRU"),
    "RNN": (recurrent("RNN", 1), "SimpleRNN"),
}  # fmt: skip


def imported(folder: Path, case: Any, **options: Any) -> Any:
    """The Keras model of a case, compared with ONNX's evaluator."""
    nodes, shape, weights = case
    return import_onnx(onnx_file(folder, nodes, {"x": shape}, weights, **options))


@pytest.mark.parametrize("name", CASES)
def test_an_operator_is_a_layer(name: str, tmp_path: Path) -> None:
    case, kinds = CASES[name]
    made = imported(tmp_path, case)
    assert made.agreement.largest < 1e-5
    nodes = graph_of(made.model).nodes.values()
    found = [each.kind for each in nodes if each.kind != "InputLayer"]
    wanted = kinds.split()
    if name.split()[0] in ("LSTM", "GRU", "RNN"):
        found = [kind for kind in found if kind in (*_KINDS, "Bidirectional")]
    assert found == wanted


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_only_what_is_used_of_a_recurrent_layer_is_returned(
    kind: str, direction: str, tmp_path: Path
) -> None:
    """The sequence alone, or the last state alone."""
    gates, directions = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind], 1 + (direction == "bidirectional")
    nodes, shape, weights = recurrent(kind, gates, directions, direction=direction, **_reset(kind))
    state = [*nodes[:2], nodes[4], node("Flatten", "v", "y")]
    sequence = [*nodes[:3], node("Reshape", "u shape", "y")]
    for used in (state, sequence):
        model = imported(tmp_path, (used, shape, weights)).model
        (layer,) = [each for each in model.layers if each.weights]
        assert not isinstance(layer.output, list)


def test_ids_are_looked_up_in_an_embedding(tmp_path: Path) -> None:
    nodes = [node("Gather", "table x", "y")]
    path = onnx_file(tmp_path, nodes, {"x": ["b", 5]}, {"table": weight(11, 3)}, integers=True)
    model = import_onnx(path).model
    assert [type(each).__name__ for each in model.layers[1:]] == ["Embedding"]
    assert model.output_shape == (None, 5, 3)


def test_a_layer_that_is_called_twice_is_shared(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x fc.weight", "a"), node("MatMul", "a fc.weight", "y")]
    model = imported(tmp_path, (nodes, ["b", 8], {"fc.weight": weight(8, 8)})).model
    assert model.count_params() == 64
    assert [each.name for each in model.layers[1:]] == ["fc"]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (one("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]), "a MaxPool with dilations"),
        (one("Resize"), "a Resize"),
        (conv(IMAGE, (6, 4, 3, 3), dilations=[2, 2], strides=[2, 2]), "strides and dilations"),
        (recurrent("LSTM", 4, clip=1.0), "an LSTM with clipping"),
    ],
)
def test_what_has_no_layer_is_refused_by_name(case: Any, said: str, tmp_path: Path) -> None:
    if case[0][0][0] == "Resize":
        nodes = [node("Resize", "x - scales", "y", mode="cubic")]
        case = (nodes, IMAGE, RESIZE)
    with pytest.raises(UnsupportedError, match=r"the ONNX node .* has no Keras layer"):
        imported(tmp_path, case)


def test_a_constant_of_the_type_of_another_value_is_a_constant(tmp_path: Path) -> None:
    """As the dynamo exporter writes numbers beside tensors, without its optimizer."""
    nodes = [
        node("CastLike", "three x", "a"),
        node("Add", "x a", "b"),
        node("Relu", "b", "y"),
    ]
    model = imported(tmp_path, (nodes, ["b", 4], {"three": whole(3)})).model
    assert np.asarray(model(np.full((2, 4), -1.0, np.float32))) == pytest.approx(2.0)
