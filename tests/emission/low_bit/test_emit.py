"""Weights {-s, 0, s} in few bits: the bytes by hand, and what the stock runtime answers."""

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.emission.sparse.sparse_files import answer, dense_chain
from tests.tiny_files import FileMaker
from tflite_squeeze.emission.low_bit.decision import exact_differences
from tflite_squeeze.emission.low_bit.emit import has_few_values, low_bit
from tflite_squeeze.emission.low_bit.few_bits import packed, ternary_scales
from tflite_squeeze.tflite.flatbuffer import operator_names, read_model
from tflite_squeeze.tflite.tensor_values import dequantized, tensor_values


def test_packing_by_hand() -> None:
    # Two's complement, the first number in the lowest bits: 01, 11, 00, 01 and 11.
    np.testing.assert_array_equal(packed(np.array([1, -1, 0, 1, -1]), 2), [0b01001101, 0b11])
    np.testing.assert_array_equal(packed(np.array([1, -1, 0]), 4), [0xF1, 0x00])
    np.testing.assert_array_equal(packed(np.array([1, -1]), 8), [1, 255])


def test_scales_by_hand() -> None:
    rows = np.float32([[0.5, 0.0, -0.5], [0.25, 0.25, 0.25], [0, 0, 0]])
    np.testing.assert_array_equal(ternary_scales(rows, 0), np.float32([0.5, 0.25, 1]))
    np.testing.assert_array_equal(ternary_scales(rows.T, 1), np.float32([0.5, 0.25, 1]))
    assert ternary_scales(np.float32([[0.5, 0.4]]), 0) is None
    assert ternary_scales(np.zeros((2, 3), np.float32), 0) is None
    # One weight a channel would always look like it.
    assert ternary_scales(np.float32([[0.5], [0.3]]), 0) is None


def ternary(shape: tuple[int, ...], axis: int = 0, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    along = [1] * len(shape)
    along[axis] = -1
    scales = generator.uniform(0.01, 0.1, shape[axis]).astype(np.float32).reshape(along)
    return (generator.integers(-1, 2, shape) * scales).astype(np.float32)


def layer_file(
    name: str, kernel: np.ndarray, shape: tuple[int, ...], out: tuple[int, ...], options: Any
) -> bytes:
    """One operator with float weights and no bias."""
    maker = FileMaker()
    x, y = maker.tensor("x", shape), maker.tensor("y", out)
    weights = maker.tensor("kernel", kernel.shape, data=kernel)
    channels = kernel.shape[3 if name == "DEPTHWISE_CONV_2D" else 0]
    bias = maker.tensor("bias", (channels,), data=np.zeros(channels, np.float32))
    maker.operator(name, [x, weights, bias], [y], options)
    return maker.file([x], [y])


CONV = schema.Conv2DOptionsT(strideW=1, strideH=1, padding=schema.Padding.VALID)
STRIDED = schema.Conv2DOptionsT(strideW=2, strideH=2, padding=schema.Padding.VALID)
DEPTHWISE = schema.DepthwiseConv2DOptionsT(
    strideW=1, strideH=1, depthMultiplier=1, padding=schema.Padding.VALID
)
CASES = {
    "dense": (
        "FULLY_CONNECTED", ternary((33, 64)), (1, 64), (1, 33),
        schema.FullyConnectedOptionsT(), "int2", "",
    ),
    "pixelwise": (
        "CONV_2D", ternary((16, 1, 1, 32)), (1, 6, 6, 32), (1, 6, 6, 16), CONV, "int2", "",
    ),
    "strided": (
        "CONV_2D", ternary((16, 1, 1, 32)), (1, 6, 6, 32), (1, 3, 3, 16), STRIDED, "int8",
        "with a stride skips pixels",
    ),
    "square": (
        "CONV_2D", ternary((8, 3, 3, 16)), (1, 6, 6, 16), (1, 4, 4, 8), CONV, "int8",
        "3x3 convolutions are slow with 4-bit",
    ),
    "depthwise": (
        "DEPTHWISE_CONV_2D", ternary((1, 3, 3, 16), 3), (1, 6, 6, 16), (1, 4, 4, 16), DEPTHWISE,
        "int8", "depthwise kernels",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["int2", "int4"])
def test_every_operator_runs_on_the_stock_runtime_with_exact_weights(case: str, kind: Any) -> None:
    name, kernel, shape, out, options, stored, reason = CASES[case]
    before = layer_file(name, kernel, shape, out, options)
    made = low_bit(before, kind)
    (tensor,) = made.tensors
    assert tensor.stored == (kind if stored == "int2" else "int8")
    assert reason in tensor.reason
    assert bool(tensor.reason) == bool(reason)
    assert tensor.values == 3
    assert exact_differences(before, made.tflite) == ()
    model = read_model(made.tflite)
    (operator,) = model.subgraphs[0].operators
    index = int(operator.inputs[1])
    values = tensor_values(model, 0, index)
    assert values is not None
    reals = dequantized(values, model.subgraphs[0].tensors[index].quantization)
    np.testing.assert_array_equal(reals.reshape(kernel.shape), kernel)
    if case == "pixelwise":
        assert operator_names(made.tflite) == [["FULLY_CONNECTED"]]
    # Only the inputs are rounded, to 8 bits.
    expected = np.frombuffer(b"".join(answer(before)), np.float32)
    found = np.frombuffer(b"".join(answer(made.tflite)), np.float32)
    assert np.abs(expected - found).max() < 0.02 * np.abs(expected).max()
    assert np.isfinite(found).all()


def test_other_weights_stay_or_become_int8() -> None:
    before = dense_chain(zeros=0.5)
    assert not low_bit(before, "int2").tensors
    assert low_bit(before, "int2").tflite == before
    assert not has_few_values(before)
    assert has_few_values(layer_file(*CASES["dense"][:5]))


def test_small_weights_stay_in_float() -> None:
    before = layer_file(*CASES["dense"][:5])
    assert not low_bit(before, "int2", least=33 * 64 + 1).tensors
    assert low_bit(before, "int2", least=33 * 64).tensors


def test_a_wrong_scale_is_seen() -> None:
    before = layer_file(*CASES["dense"][:5])
    other = CASES["dense"][1].copy()
    other[0] *= np.float32(1.0000001)
    assert not np.array_equal(other, CASES["dense"][1])
    after = low_bit(layer_file("FULLY_CONNECTED", other, *CASES["dense"][2:5]), "int2").tflite
    assert exact_differences(before, after) == ("kernel",)
