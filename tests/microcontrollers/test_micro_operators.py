from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.emission.low_bit.integer_layers import integer_layer
from tests.emission.low_bit.test_narrowed import codes
from tflite_squeeze.emission.low_bit.narrowed import narrowed
from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.microcontrollers import graph
from tflite_squeeze.microcontrollers.graph import check_supported, resolver_method
from tflite_squeeze.tflite.fields import BUILTIN_OPERATORS, TFLM_OPERATORS
from tflite_squeeze.tflite.flatbuffer import read_model


@pytest.mark.parametrize(
    ("operator", "method"),
    [
        ("ABS", "AddAbs"),
        ("ADD_N", "AddAddN"),
        ("BATCH_MATMUL", "AddBatchMatMul"),
        ("CONV_2D", "AddConv2D"),
        ("CUMSUM", "AddCumSum"),
        ("L2_POOL_2D", "AddL2Pool2D"),
        ("PADV2", "AddPadV2"),
        ("RELU6", "AddRelu6"),
        ("SPACE_TO_BATCH_ND", "AddSpaceToBatchNd"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "AddUnidirectionalSequenceLSTM"),
        ("SignalRfft", "AddRfft"),
        ("SignalPCAN", "AddPCAN"),
        ("CIRCULAR_BUFFER", "AddCircularBuffer"),
        ("TFLM_DECODE", "AddDecode"),
        ("TFLite_Detection_PostProcess", "AddDetectionPostprocess"),
        ("DENSIFY", None),
        ("FlexErf", None),
    ],
)
def test_methods_have_the_names_that_tflm_gives_them(operator: str, method: str | None) -> None:
    assert resolver_method(operator) == method


def test_the_builtin_names_are_the_schemas() -> None:
    assert graph._BUILTIN <= BUILTIN_OPERATORS


def test_the_installed_tflm_registers_each_of_them() -> None:
    # Functions named after the operators register the kernels; the symbols keep their names.
    spec = find_spec("tflite_micro.python.tflite_micro._runtime")
    assert spec is not None
    assert spec.origin is not None
    binary = Path(spec.origin).read_bytes()
    registered = [name for name in graph._BUILTIN if f"Register_{name}".encode() in binary]
    assert sorted(registered) == sorted(graph._BUILTIN)
    assert b"Register_DENSIFY" not in binary
    assert all(name.encode() in binary for name in TFLM_OPERATORS)


@pytest.mark.parametrize(
    ("name", "shape", "largest", "per_channel", "refused"),
    [
        ("FULLY_CONNECTED", (6, 64), 7, True, True),
        ("FULLY_CONNECTED", (6, 64), 7, False, False),
        ("FULLY_CONNECTED", (6, 64), 1, True, True),
        ("CONV_2D", (5, 3, 3, 3), 7, True, False),
    ],
)
def test_weights_of_few_bits(
    name: str, shape: Any, largest: int, per_channel: bool, refused: bool
) -> None:
    whole = integer_layer(name, codes(shape, largest), per_channel=per_channel)
    few, _ = narrowed(whole, operators=(name,))
    if not refused:
        check_supported(read_model(few))
        return
    with pytest.raises(UnsupportedError, match=r"convert the model again with weights of 8 bits"):
        check_supported(read_model(few))
