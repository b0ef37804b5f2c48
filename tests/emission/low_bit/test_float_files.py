"""Few bits beside activations in float: every operator runs with exactly the rounded weights."""

import re
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.emission.low_bit.test_emit import layer_file
from tests.emission.sparse.sparse_files import answer
from tflite_squeeze.emission.low_bit.float_files import (
    has_other_weights,
    in_few_bits,
    with_float_weights,
)
from tflite_squeeze.emission.low_bit.float_forms import fastest_form, with_dequantized
from tflite_squeeze.tflite.flatbuffer import operator_names, read_model
from tflite_squeeze.tflite.tensor_values import dequantized, tensor_values


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)


def answers(tflite: bytes) -> np.ndarray:
    return np.frombuffer(b"".join(answer(tflite)), np.float32)


def layer(case: str, kernel: np.ndarray | None = None) -> bytes:
    """A float file of one layer."""
    name, shape, stride = OPERATORS[case]
    kernel = weights(*shape) if kernel is None else kernel
    if name == "FULLY_CONNECTED":
        options: Any = schema.FullyConnectedOptionsT()
        return layer_file(name, kernel, (1, shape[1]), (1, shape[0]), options)
    depthwise = name == "DEPTHWISE_CONV_2D"
    kind = schema.DepthwiseConv2DOptionsT if depthwise else schema.Conv2DOptionsT
    more = {"depthMultiplier": 1} if depthwise else {}
    options = kind(strideW=stride, strideH=stride, padding=schema.Padding.SAME, **more)
    side, outputs = 6 // stride, shape[3 if depthwise else 0]
    return layer_file(name, kernel, (1, 6, 6, shape[3]), (1, side, side, outputs), options)


OPERATORS: dict[str, tuple[str, tuple[int, ...], int]] = {
    "dense": ("FULLY_CONNECTED", (16, 64), 1),
    "odd rows": ("FULLY_CONNECTED", (16, 63), 1),
    "3x3": ("CONV_2D", (8, 3, 3, 16), 1),
    "1x1": ("CONV_2D", (16, 1, 1, 32), 1),
    "1x1 with stride": ("CONV_2D", (16, 1, 1, 32), 2),
    "depthwise": ("DEPTHWISE_CONV_2D", (1, 3, 3, 32), 1),
}
FORMS = {
    ("dense", 4): ("int4", "integers", ["FULLY_CONNECTED"]),
    ("dense", 2): ("int2", "integers", ["FULLY_CONNECTED"]),
    ("odd rows", 4): ("int4", "integers", ["FULLY_CONNECTED"]),
    ("3x3", 8): ("int8", "integers", ["CONV_2D"]),
    ("3x3", 4): ("int4", "integers", ["CONV_2D"]),
    ("3x3", 2): ("int2", "dequantized", ["DEQUANTIZE", "CONV_2D"]),
    ("1x1", 8): ("int8", "integers", ["FULLY_CONNECTED"]),
    ("1x1", 4): ("int4", "integers", ["FULLY_CONNECTED"]),
    ("1x1", 2): ("int2", "integers", ["FULLY_CONNECTED"]),
    ("1x1 with stride", 4): ("int4", "integers", ["CONV_2D"]),
    ("depthwise", 8): ("int8", "dequantized", ["DEQUANTIZE", "DEPTHWISE_CONV_2D"]),
    ("depthwise", 4): ("int4", "dequantized", ["DEQUANTIZE", "DEPTHWISE_CONV_2D"]),
    ("depthwise", 2): ("int2", "dequantized", ["DEQUANTIZE", "DEPTHWISE_CONV_2D"]),
}


@pytest.mark.parametrize(("case", "bits"), FORMS)
def test_every_operator_computes_with_the_rounded_weights(case: str, bits: Any) -> None:
    values = weights(*OPERATORS[case][1])
    made = in_few_bits(layer(case), bits)
    (record,) = made.tensors
    assert (record.stored, record.form, operator_names(made.tflite)[0]) == FORMS[case, bits]
    model = read_model(made.tflite)
    graph = model.subgraphs[0]
    index = next(at for at, one in enumerate(graph.tensors) if one.name == b"kernel")
    codes = tensor_values(model, 0, index)
    assert codes is not None
    real = dequantized(codes, graph.tensors[index].quantization).reshape(values.shape)
    steps = graph.tensors[index].quantization.scale
    assert np.sqrt(np.mean((real - values) ** 2)) < np.max(steps) * (0.31 if bits > 2 else 0.6)
    expected, found = answers(layer(case, real)), answers(made.tflite)
    # Operators on integers quantize their inputs.
    near = 0.02 * np.abs(expected).max() if record.form == "integers" else 1e-4
    np.testing.assert_allclose(found, expected, atol=near)


def test_a_larger_convolution_keeps_8_bits_where_time_counts() -> None:
    for case, stored in (("3x3", "int8"), ("depthwise", "int8"), ("1x1", "int4")):
        (record,) = in_few_bits(layer(case), 4, minimize="latency").tensors
        assert record.stored == stored


def test_weights_too_few_to_pay_for_scales_stay_in_float() -> None:
    before = layer_file(
        "FULLY_CONNECTED", weights(8, 2), (1, 2), (1, 8), schema.FullyConnectedOptionsT()
    )
    (record,) = in_few_bits(before, 4).tensors
    assert (record.stored, record.bytes_after) == ("float32", 64)


def test_what_the_converter_rounded_is_float_again() -> None:
    plain = layer("dense")
    wide = in_few_bits(plain, 8).tflite
    assert answers(with_float_weights(wide, plain)).tobytes() == answers(plain).tobytes()
    assert not has_other_weights(plain)


def test_weights_that_are_dequantized_once_give_the_answers_of_floats() -> None:
    for case in ("dense", "3x3"):
        file = in_few_bits(layer(case), 8).tflite
        once = with_dequantized(file, [OPERATORS[case][0]])
        assert operator_names(once) == [["DEQUANTIZE", *operator_names(file)[0]]]
        exact, before, after = (answers(one) for one in (layer(case), file, once))
        assert np.abs(after - exact).max() < np.abs(before - exact).max()
        assert with_dequantized(file, ["DEPTHWISE_CONV_2D"]) == file


def test_the_fastest_form_is_told() -> None:
    file = in_few_bits(layer("dense"), 8).tflite
    chosen, (note,) = fastest_form(file)
    assert chosen in (file, with_dequantized(file, ["FULLY_CONNECTED"]))
    assert re.search(r"as (integers|floats), the fastest here: integers .* us, floats", note)
    assert fastest_form(layer("dense")) == (layer("dense"), ())
