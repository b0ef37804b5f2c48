"""Integer weights in fewer bits: the same outputs from the stock runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tests.emission.low_bit.integer_layers import SIDE, integer_layer
from tests.emission.sparse.sparse_files import answer
from tests.tiny_files import FileMaker, quantization
from tflite_squeeze.emission.low_bit.narrowed import narrowed
from tflite_squeeze.errors import UsageError
from tflite_squeeze.microcontrollers.runner import micro_job
from tflite_squeeze.tflite.flatbuffer import operator_names, pack_model, read_model
from tflite_squeeze.tflite.quantization_plan import plan_of
from tflite_squeeze.tflite.tensor_values import tensor_values

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def codes(shape: tuple[int, ...], largest: int = 7, seed: int = 0) -> NDArray[np.int8]:
    """Random integers up to a magnitude that the first one has."""
    found = np.random.default_rng(seed).integers(-largest, largest + 1, shape).astype(np.int8)
    found.reshape(-1)[0] = largest
    return found


def stored(tflite: bytes) -> tuple[str, int]:
    """The operator that has the weights, and their bits."""
    (names,) = operator_names(tflite)
    (weight,) = plan_of(tflite).weights.values()
    return names[0], weight.bits or 32


@pytest.mark.parametrize(
    ("name", "shape", "stride", "largest", "channels", "expected", "reason"),
    [
        ("FULLY_CONNECTED", (6, 64), 1, 7, True, ("FULLY_CONNECTED", 4), ""),
        ("FULLY_CONNECTED", (7, 30), 1, 7, False, ("FULLY_CONNECTED", 4), ""),
        ("FULLY_CONNECTED", (6, 63), 1, 7, True, ("FULLY_CONNECTED", 8), "the odd length 63"),
        ("FULLY_CONNECTED", (6, 64), 1, 1, True, ("FULLY_CONNECTED", 2), ""),
        ("FULLY_CONNECTED", (6, 64), 1, 1, False, ("FULLY_CONNECTED", 4), "only beside int8"),
        ("FULLY_CONNECTED", (6, 62), 1, 1, True, ("FULLY_CONNECTED", 4), "a multiple of 4"),
        ("CONV_2D", (8, 1, 1, 16), 1, 7, True, ("FULLY_CONNECTED", 4), ""),
        ("CONV_2D", (8, 1, 1, 16), 1, 1, True, ("FULLY_CONNECTED", 2), ""),
        ("CONV_2D", (8, 1, 1, 16), 2, 7, True, ("CONV_2D", 4), ""),
        ("CONV_2D", (5, 3, 3, 3), 1, 7, True, ("CONV_2D", 4), ""),
        ("CONV_2D", (5, 3, 3, 3), 1, 1, True, ("CONV_2D", 4), ""),
        ("DEPTHWISE_CONV_2D", (1, 3, 3, 5), 1, 7, True, ("DEPTHWISE_CONV_2D", 4), ""),
    ],
)
def test_the_runtime_answers_with_the_same_bits(
    name: str, shape: Any, stride: int, largest: int, channels: bool, expected: Any, reason: str
) -> None:
    before = integer_layer(name, codes(shape, largest), stride=stride, per_channel=channels)
    after, (record,) = narrowed(before, operators=("FULLY_CONNECTED", *CONVOLUTIONS))
    assert stored(after) == expected
    assert record.stored == f"int{expected[1]}"
    assert record.largest == largest
    assert reason in record.reason
    assert bool(reason) == bool(record.reason)
    assert answer(after, delegate=False) == answer(before, delegate=False)
    delegated = expected[0] == "FULLY_CONNECTED"
    steps = _steps(answer(after), answer(before))
    assert steps <= (0 if delegated else 1)


def _steps(one: list[bytes], other: list[bytes]) -> int:
    """The largest difference of int8 outputs."""
    values = [np.frombuffer(b"".join(each), np.int8).astype(int) for each in (one, other)]
    assert np.ptp(values[0]) > 20
    return int(np.abs(values[0] - values[1]).max())


def test_wrong_integers_would_be_noticed() -> None:
    one, other = (integer_layer("FULLY_CONNECTED", codes((6, 64), seed=seed)) for seed in (0, 1))
    assert answer(narrowed(one)[0], delegate=False) != answer(other, delegate=False)


def test_scales_bytes_and_unnamed_operators_stay() -> None:
    before = integer_layer("FULLY_CONNECTED", codes((64, 64)))
    after, (record,) = narrowed(before)
    assert plan_of(after).weights["w"].scale == plan_of(before).weights["w"].scale
    assert plan_of(after).activations == plan_of(before).activations
    assert (record.bytes_before, record.bytes_after) == (4096, 2048)
    assert len(before) - len(after) >= 2048
    convolution = integer_layer("CONV_2D", codes((5, 3, 3, 3)))
    after, (record,) = narrowed(convolution)
    assert (after, record.stored) == (convolution, "int8")
    assert record.reason == "4 bits make CONV_2D slow on x86: 8 unless low_bit is int4"


def test_weights_with_larger_integers_stay_unrecorded() -> None:
    before = integer_layer("FULLY_CONNECTED", codes((6, 64), largest=8))
    assert narrowed(before) == (before, ())


def test_two_bits_only_on_demand() -> None:
    before = integer_layer("FULLY_CONNECTED", codes((6, 64), largest=1))
    after, (record,) = narrowed(before, least_bits=4)
    assert (stored(after), record.reason) == (("FULLY_CONNECTED", 4), "")


def test_sixteen_bits_beside_the_weights() -> None:
    before = integer_layer("FULLY_CONNECTED", codes((6, 64), largest=1), activations="int16")
    after, (record,) = narrowed(before)
    assert record.stored == "int4"
    for delegate in (False, True):
        assert answer(after, delegate=delegate) == answer(before, delegate=delegate)
    convolution = integer_layer("CONV_2D", codes((5, 3, 3, 3)), activations="int16")
    _, (record,) = narrowed(convolution, operators=CONVOLUTIONS)
    assert (record.stored, record.reason) == (
        "int8",
        "CONV_2D does not run with int16 inputs and 4 bits",
    )


def shared(other: str) -> bytes:
    """A weight that a FULLY_CONNECTED and another operator read."""
    maker = FileMaker()
    about = {"quantization": quantization([0.05])}
    x = maker.tensor("x", (8, 8), "int8", **about)
    w = maker.tensor("w", (8, 8), "int8", data=codes((8, 8)), **about)
    y, z = maker.tensor("y", (8, 8), "int8", **about), maker.tensor("z", (8, 8), "int8", **about)
    maker.operator("FULLY_CONNECTED", [x, w, -1], [y], schema.FullyConnectedOptionsT(), version=6)
    if other == "ADD":
        maker.operator("ADD", [y, w], [z], schema.AddOptionsT(), version=2)
    else:
        options = schema.FullyConnectedOptionsT()
        maker.operator("FULLY_CONNECTED", [y, w, -1], [z], options, version=6)
    return maker.file([x], [z])


def test_weights_that_several_operators_read() -> None:
    before = shared("FULLY_CONNECTED")
    after, (record,) = narrowed(before)
    assert record.stored == "int4"
    assert answer(after) == answer(before)
    codes_used = {operator.opcodeIndex for operator in read_model(after).subgraphs[0].operators}
    assert len(codes_used) == 1
    after, (record,) = narrowed(shared("ADD"))
    assert (after, record.stored) == (shared("ADD"), "int8")
    assert record.reason == "other operators read it too"


def test_what_is_not_symmetric_stays() -> None:
    model = read_model(integer_layer("FULLY_CONNECTED", codes((6, 64))))
    model.subgraphs[0].tensors[1].quantization.zeroPoint = np.ones(6, np.int64)
    assert narrowed(pack_model(model))[1] == ()


def test_what_no_operator_takes_stays() -> None:
    model = read_model(integer_layer("FULLY_CONNECTED", codes((64, 64))))
    model.subgraphs[0].tensors[1].quantization.quantizedDimension = 1
    assert narrowed(pack_model(model))[1] == ()
    model.subgraphs[0].tensors[1].quantization = quantization([0.1])
    model.subgraphs[0].tensors[1].shape = np.int32([4096])
    assert narrowed(pack_model(model))[1] == ()


def test_values_are_read_back() -> None:
    kernel = codes((7, 6))
    after, _ = narrowed(integer_layer("FULLY_CONNECTED", kernel))
    model = read_model(after)
    index = int(model.subgraphs[0].operators[0].inputs[1])
    np.testing.assert_array_equal(tensor_values(model, 0, index), kernel)


def test_operators_that_do_not_run_with_fewer_bits_are_refused() -> None:
    with pytest.raises(UsageError, match="operators has TRANSPOSE_CONV, which the runtime"):
        narrowed(b"", operators=("TRANSPOSE_CONV",))


@pytest.mark.parametrize(
    ("name", "shape", "channels"),
    [
        ("FULLY_CONNECTED", (6, 64), False),
        ("CONV_2D", (5, 3, 3, 3), True),
        ("DEPTHWISE_CONV_2D", (1, 3, 3, 5), True),
    ],
)
def test_microcontrollers_answer_with_the_same_bits(
    name: str, shape: tuple[int, ...], channels: bool, tmp_path: Path
) -> None:
    pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    before = integer_layer(name, codes(shape), per_channel=channels)
    after, _ = narrowed(before, operators=("FULLY_CONNECTED", *CONVOLUTIONS))
    inputs = (1, shape[-1]) if name == "FULLY_CONNECTED" else (1, SIDE, SIDE, shape[-1])
    x = np.random.default_rng(0).integers(-100, 100, (4, *inputs)).astype(np.int8)
    answers = []
    for at, tflite in enumerate((before, after)):
        path = tmp_path / f"{at}.tflite"
        path.write_bytes(tflite)
        values, outputs = micro_job(path, {"outputs": 1, "arena_bytes": None}, {"0": x})
        assert values["said"] is None
        answers.append(outputs["0"])
    np.testing.assert_array_equal(*answers)
