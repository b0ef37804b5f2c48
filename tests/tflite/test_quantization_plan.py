"""Plans read from files made by hand, from converted ones and from damaged ones."""

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.tflite.test_damage import _mutated
from tests.tiny_files import FileMaker, dense_file, quantization
from tflite_squeeze.errors import InputError
from tflite_squeeze.network.quantization.plan import ActivationQuantization, WeightQuantization
from tflite_squeeze.tflite.flatbuffer import pack_model
from tflite_squeeze.tflite.quantization_plan import plan_of

FLOAT = ActivationQuantization(bits=None)


def integer_dense(dtype: str = "int8", kernel: str = "int8", **about: Any) -> FileMaker:
    """x (1, 4) → FULLY_CONNECTED → y (1, 2), all quantized; the kernel as `about` says."""
    maker = FileMaker()
    points = {"int8": -128, "uint8": 0, "int16": 0}[dtype]
    fields = about or {"quantization": quantization([0.5, 0.25])}
    x = maker.tensor("x", (1, 4), dtype, quantization=quantization([0.1], [points]))
    w = maker.tensor("w", (2, 4), kernel, data=np.ones(8, np.int8), **fields)
    b = maker.tensor("b", (2,), "int32", data=np.int32([1, 2]), quantization=quantization([0.05]))
    y = maker.tensor("y", (1, 2), dtype, quantization=quantization([0.2], [0]))
    maker.operator("FULLY_CONNECTED", [x, w, b], [y], schema.FullyConnectedOptionsT())
    return maker


def test_an_integer_file_by_hand() -> None:
    plan = plan_of(integer_dense().file([0], [3]))
    assert plan.weights == {"w": WeightQuantization(bits=8, axis=0, scale=(0.5, 0.25))}
    assert list(plan.activations) == ["x", "y"]
    # (-128 + 128) * 0.1 to (127 + 128) * 0.1, and -128 * 0.2 to 127 * 0.2.
    assert plan.activations["x"] == ActivationQuantization(bits=8, low=0.0, high=25.5)
    assert plan.activations["y"] == ActivationQuantization(bits=8, low=-25.6, high=25.4)
    assert plan.activations["y"].scale == pytest.approx(0.2, rel=1e-7)


def test_a_float_file_is_float_everywhere() -> None:
    plan = plan_of(dense_file())
    assert plan.weights == {"w": WeightQuantization(bits=None)}
    assert plan.activations == {"x": FLOAT, "y": FLOAT}


@pytest.mark.parametrize(("kernel", "bits"), [("int4", 4), ("int2", 2)])
def test_fewer_bits(kernel: str, bits: int) -> None:
    plan = plan_of(integer_dense(kernel=kernel).file([0], [3]))
    assert plan.weights["w"].bits == bits


def test_legacy_uint8_has_zero_points_in_its_weights() -> None:
    maker = integer_dense("uint8", "uint8", quantization=quantization([0.5], [120]))
    plan = plan_of(maker.file([0], [3]))
    assert plan.weights["w"] == WeightQuantization(bits=8, scale=(0.5,), zero_point=120)
    assert plan.activations["y"] == ActivationQuantization(bits=8, low=0.0, high=51.0)


def test_sixteen_bits_are_symmetric() -> None:
    plan = plan_of(integer_dense("int16").file([0], [3]))
    assert plan.activations["x"] == ActivationQuantization(bits=16, low=-3276.7, high=3276.7)
    assert plan.activations["x"].scale == pytest.approx(0.1, rel=1e-7)


def test_weights_in_blocks_have_no_scales_of_their_own() -> None:
    blocks = schema.QuantizationParametersT(
        detailsType=schema.QuantizationDetails.BlockwiseQuantization,
        details=schema.BlockwiseQuantizationT(scales=1, blockSize=2),
    )
    plan = plan_of(integer_dense(kernel="int4", quantization=blocks).file([0], [3]))
    assert plan.weights["w"] == WeightQuantization(bits=4, axis=0)


def test_channels_of_zeros_may_have_a_scale_of_0() -> None:
    maker = integer_dense(quantization=quantization([0.5, 0.0]))
    assert plan_of(maker.file([0], [3])).weights["w"].scale == (0.5, 1.1754944e-38)


def test_weights_behind_other_operators_are_no_activations() -> None:
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 3)), maker.tensor("y", (1, 2))
    half = maker.tensor("half", (2, 3), "float16", data=np.zeros((2, 3), np.float16))
    unread = maker.tensor("table", (2, 3), data=np.zeros((2, 3), np.float32))
    real = maker.tensor("real", (2, 3))
    maker.operator("DEQUANTIZE", [half], [real], schema.DequantizeOptionsT())
    maker.operator("FULLY_CONNECTED", [x, real, -1], [y], schema.FullyConnectedOptionsT())
    maker.operator("ADD", [x, unread], [y], schema.AddOptionsT())
    plan = plan_of(maker.file([x], [y]))
    assert plan.weights == {"half": WeightQuantization(bits=None)}
    assert plan.activations == {"x": FLOAT, "y": FLOAT}


def test_names_that_occur_again_get_a_number() -> None:
    model = integer_dense().model([0], [3])
    for index, name in enumerate(["same", "", "b", "same"]):
        model.subgraphs[0].tensors[index].name = name
    model.subgraphs.append(model.subgraphs[0])
    plan = plan_of(pack_model(model))
    assert list(plan.activations) == ["same", "same#2", "same#3", "same#4"]
    assert list(plan.weights) == ["tensor", "tensor#2"]


@pytest.mark.parametrize(
    ("scale", "points", "kernel", "said"),
    [
        (0.1, 200, {}, "a range from -32.8 to -7.3 does not hold 0"),
        (float("nan"), 0, {}, "low nan and high nan"),
        (-0.1, 0, {}, "a range from 12.8 to -12.7 does not hold 0"),
        (3e38, 0, {}, "low -inf and high inf"),
        (0.0, 0, {}, "a range from"),
        (0.1, 0, {"quantization": quantization([0.5, -1])}, "a scale is not a positive number"),
        (0.1, 0, {"quantization": quantization([0.5, 0.5], [3, 4])}, "zero points from 3 to 4"),
    ],
)
def test_what_a_plan_cannot_describe_is_one_line(
    scale: float, points: int, kernel: dict[str, Any], said: str
) -> None:
    model = integer_dense(**kernel).model([0], [3])
    model.subgraphs[0].tensors[0].quantization = quantization([scale], [points])
    with pytest.raises(InputError) as error:
        plan_of(pack_model(model))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("dtype", "about", "said"),
    [
        ("int16", quantization([0.1], [1]), "16 bits have the zero point 1"),
        ("int4", quantization([0.1]), "computed in int4"),
        ("int8", quantization([0.1] * 4, dimension=1), "computed with 4 scales"),
    ],
)
def test_activations_that_no_converter_writes(dtype: str, about: Any, said: str) -> None:
    maker = FileMaker()
    x = maker.tensor("x", (1, 4), dtype, quantization=about)
    with pytest.raises(InputError, match=said):
        plan_of(maker.file([x], [x]))


def test_damaged_files_are_read_or_refused_in_one_line() -> None:
    whole, refused = integer_dense().file([0], [3]), []
    for seed in range(400):
        try:
            plan_of(_mutated(whole, seed))
        except InputError as error:
            refused.append(str(error))
    assert not [message for message in refused if "\n" in message]
    assert 80 < len(refused) < 400
