"""What `tune` would try first, with the bytes computed by hand and found again in real files."""

from typing import Any

import numpy as np
import pytest

from tests.tiny_models import examples
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.inspection.inspect import inspect
from tflite_squeeze.inspection.record import AdviceKind
from tflite_squeeze.techniques.quantization.aware import quantization_aware
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.graph import file_operators


@pytest.fixture
def model(library: Any) -> Any:
    layers = library.layers
    return library.Sequential(
        [
            library.Input((8, 8, 1), name="x"),
            layers.Conv2D(16, 3, name="conv", activation="relu"),
            layers.Flatten(name="flat"),
            layers.Dense(8, name="scores"),
        ],
        name="net",
    )


# 144 and 4,608 values; a float32 scale and an int64 zero point for each of 16 and 8 channels.
FLOAT, INT8, SCALES = 4 * (144 + 4608), 144 + 4608, 12 * (16 + 8)


def test_integers_for_a_keras_model(model: Any) -> None:
    int8, four = inspect(model).advice
    assert int8.kind is AdviceKind.INT8
    assert int8.where == ("conv", "scores")
    assert int8.cost_bytes == FLOAT - INT8 - SCALES
    assert f"in {INT8 + SCALES:,} bytes with their scales, float32 in {FLOAT:,}" in int8.text
    assert "3.8 times smaller, computed" in int8.text
    assert four.kind is AdviceKind.FEW_BITS
    assert four.cost_bytes == 4608 // 2


@pytest.mark.slow
def test_a_file_has_these_bytes_and_a_float_one_gets_the_same_advice(model: Any) -> None:
    source = convert(model, verification=None).tflite
    int8, four = inspect(source, measure=False).advice
    assert int8.cost_bytes == FLOAT - INT8 - SCALES
    assert four.cost_bytes == 4608 // 2
    made = convert(
        model, Convert(quantize="int8"), {"x": examples(32, 8, 8, 1)}, verification=None
    ).tflite
    kernels = [
        weight.stored_bytes
        for operator in file_operators(read_model(made))
        for weight in operator.weights
        if weight.dtype == "int8"
    ]
    assert sum(kernels) == INT8
    assert not any(
        one.kind in (AdviceKind.INT8, AdviceKind.FEW_BITS)
        for one in inspect(made, measure=False).advice
    )


def test_nothing_where_nothing_is_saved(library: Any) -> None:
    layers = library.layers
    small = library.Sequential([library.Input((16,)), layers.Dense(8)])
    assert inspect(small).advice == ()
    float_only = library.Sequential([library.Input((4, 64)), layers.SimpleRNN(64)])
    assert inspect(float_only).advice == ()


def test_channels_without_weights_go_first(model: Any) -> None:
    conv = model.get_layer("conv")
    kernel, bias = (np.array(one) for one in conv.get_weights())
    kernel[..., :5] = 0
    conv.set_weights([kernel, bias])
    kinds = [one.kind for one in inspect(model).advice]
    assert kinds == [AdviceKind.INT8, AdviceKind.FEW_BITS, AdviceKind.DEAD_CHANNELS]
    dead = inspect(model).advice[-1]
    # 9 weights and a bias, and the 36 inputs of 8 units, for each of 5 channels.
    assert dead.cost_bytes == 4 * 5 * (9 + 1 + 36 * 8)
    assert dead.text.startswith("5 channels have no weights")


def test_a_twin_has_its_integers_already(model: Any) -> None:
    assert not any(one.kind is AdviceKind.INT8 for one in inspect(quantization_aware(model)).advice)
