import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.runtime.runtime_files import (
    custom_file,
    fft_scale_file,
    int8_dense_file,
    uint8_dense_file,
)
from tests.tiny_files import FileMaker, dense_file, moving, quantization
from tflite_squeeze.emission.low_bit.float_forms import TimedForm
from tflite_squeeze.inspection.advice import LeftOperator, delegation_advice, file_advice
from tflite_squeeze.inspection.quantization_advice import slow_dynamic
from tflite_squeeze.inspection.record import Advice, AdviceKind
from tflite_squeeze.tables.table import listed
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model


def _advice(tflite: bytes) -> list[Advice]:
    return list(file_advice(read_model(tflite), tflite))


def _kinds(tflite: bytes) -> list[AdviceKind]:
    return [advice.kind for advice in _advice(tflite)]


def test_a_plain_layer_earns_no_advice() -> None:
    assert _advice(dense_file()) == []


def _flatten_file(batch: int) -> bytes:
    maker = FileMaker()
    x = maker.tensor("x", (1, 2, 2), signature=(batch, 2, 2))
    shape = maker.tensor("shape", (3,), "int32")
    maker.operator("SHAPE", [x], [shape])
    zero, one = (maker.tensor(n, (1,), "int32", data=np.int32([int(n)])) for n in "01")
    first = maker.tensor("first", (), "int32")
    maker.operator("STRIDED_SLICE", [shape, zero, one, one], [first])
    four = maker.tensor("four", (), "int32", data=np.int32([4]))
    target = maker.tensor("target", (2,), "int32")
    maker.operator("PACK", [first, four], [target])
    y = maker.tensor("y", (1, 4), signature=(batch, 4))
    maker.operator("RESHAPE", [x, target], [y])
    return maker.file([x], [y])


def test_a_dynamic_batch_costs_the_operators_that_compute_shapes() -> None:
    (advice,) = _advice(_flatten_file(-1))
    assert advice.kind is AdviceKind.DYNAMIC_BATCH
    assert advice.where == ("SHAPE 0:0", "STRIDED_SLICE 0:1", "PACK 0:2")
    # At least their inputs, outputs and constants: 4 + 4·count each, and 3 numbers of 4 bytes.
    assert advice.cost_bytes is not None
    assert 100 < advice.cost_bytes < len(_flatten_file(-1)) - len(dense_file()) + 200
    assert f"{advice.cost_bytes:,} bytes" in advice.text
    assert _advice(_flatten_file(1)) == []


def _normalized_file(channels: int = 8, constant: int | None = None) -> bytes:
    maker = FileMaker()
    x, a, b = (maker.tensor(name, (1, 4, 4, channels)) for name in "xab")
    ones = np.ones(constant or channels, np.float32)
    scale = maker.tensor("scale", ones.shape, data=ones)
    offset = maker.tensor("offset", ones.shape, data=ones)
    maker.operator("MUL", [x, scale], [a])
    maker.operator("ADD", [a, offset], [b])
    return maker.file([x], [b])


def test_batch_normalization_that_stayed_is_counted() -> None:
    (advice,) = _advice(_normalized_file())
    assert advice.kind is AdviceKind.UNFUSED_BATCH_NORMALIZATION
    assert advice.where == ("MUL 0:0", "ADD 0:1")
    assert advice.cost_elements == 2 * 4 * 4 * 8
    assert advice.cost_bytes == 2 * 8 * 4


def test_a_scale_for_the_whole_image_is_no_batch_normalization() -> None:
    assert _advice(_normalized_file(constant=1)) == []


def _activation_file(name: str, *, last: bool) -> bytes:
    maker = FileMaker()
    x, a, b = (maker.tensor(letter, (1, 100)) for letter in "xab")
    maker.operator(name, [x], [a])
    if last:
        return maker.file([x], [a])
    maker.operator("RELU", [a], [b])
    return maker.file([x], [b])


@pytest.mark.parametrize("name", ["HARD_SWISH", "GELU", "LEAKY_RELU", "TANH", "LOGISTIC", "ELU"])
def test_activations_of_their_own_cost_a_pass(name) -> None:
    (advice,) = _advice(_activation_file(name, last=False))
    assert advice.kind is AdviceKind.UNFUSED_ACTIVATION
    assert (advice.cost_elements, advice.cost_bytes) == (100, 800)
    assert _advice(_activation_file(name, last=True)) == []


def test_relu_costs_nothing_worth_a_line() -> None:
    assert _advice(_activation_file("RELU", last=False)) == []


def test_a_swish_is_called_by_its_name() -> None:
    maker = FileMaker()
    x, a, b, c = (maker.tensor(letter, (1, 10)) for letter in "xabc")
    maker.operator("LOGISTIC", [x], [a])
    maker.operator("MUL", [x, a], [b])
    maker.operator("RELU", [b], [c])
    (advice,) = _advice(maker.file([x], [c]))
    assert "swish" in advice.text


def _island_file(dtype: str) -> bytes:
    """An integer layer, a TANH between conversions, and another integer layer."""
    maker = FileMaker()
    scale = {"quantization": quantization([0.1])}
    x, a = (maker.tensor(n, (1, 16), "int8", **scale) for n in "xa")
    weights = maker.tensor("w", (16, 16), "int8", data=bytes(256), **scale)
    maker.operator("FULLY_CONNECTED", [x, weights, -1], [a])
    b, c = maker.tensor("b", (1, 16), dtype), maker.tensor("c", (1, 16), dtype)
    d, e = (maker.tensor(n, (1, 16), "int8", **scale) for n in "de")
    if dtype == "int8":
        maker.operator("TANH", [a], [d])
    else:
        maker.operator("DEQUANTIZE", [a], [b])
        maker.operator("SIN", [b], [c])
        maker.operator("QUANTIZE", [c], [d])
    maker.operator("FULLY_CONNECTED", [d, weights, -1], [e])
    return maker.file([x], [e])


def test_a_float_island_costs_what_its_conversions_move() -> None:
    (advice,) = _advice(_island_file("float32"))
    assert advice.kind is AdviceKind.FLOAT_ISLAND
    assert advice.where == ("SIN 0:2",)
    assert advice.cost_bytes == 2 * (16 + 64)  # 16 integers become floats, and floats integers
    assert AdviceKind.FLOAT_ISLAND not in _kinds(_island_file("int8"))


def test_conversions_at_the_edges_are_no_island() -> None:
    maker = FileMaker()
    scale = {"quantization": quantization([0.1])}
    x, z = maker.tensor("x", (1, 16)), maker.tensor("z", (1, 16))
    a, b = (maker.tensor(n, (1, 16), "int8", **scale) for n in "ab")
    weights = maker.tensor("w", (16, 16), "int8", data=bytes(256), **scale)
    maker.operator("QUANTIZE", [x], [a])
    maker.operator("FULLY_CONNECTED", [a, weights, -1], [b])
    maker.operator("DEQUANTIZE", [b], [z])
    assert _advice(maker.file([x], [z])) == []


def test_flex_and_custom_operators_are_told_apart() -> None:
    maker = FileMaker()
    x, y, z = (maker.tensor(letter, (1,)) for letter in "xyz")
    maker.operator("FlexErf", [x], [y], custom=True)
    maker.operator("MyKernel", [y], [z], custom=True)
    flex, custom = _advice(maker.file([x], [z]))
    assert (flex.kind, flex.where) == (AdviceKind.FLEX_OPERATORS, ("FlexErf 0:0",))
    assert (custom.kind, custom.where) == (AdviceKind.CUSTOM_OPERATORS, ("MyKernel 0:1",))
    assert "1 of 2 operators" in flex.text
    # A fixed batch helps recurrent layers alone.
    assert "batch" not in flex.text
    (recurrent,) = _advice(custom_file("FlexTensorListReserve"))
    assert "a fixed batch turns LSTM" in recurrent.text


def test_tflms_and_litert_s_own_operators_are_no_custom_ones() -> None:
    (tflm,) = _advice(fft_scale_file())
    assert (tflm.kind, tflm.where) == (AdviceKind.TFLM_OPERATORS, ("SignalFftAutoScale 0:0",))
    assert "TFLM's own (SignalFftAutoScale)" in tflm.text
    assert _advice(custom_file("TFLite_Detection_PostProcess")) == []


def test_legacy_uint8_is_called_what_it_is() -> None:
    (advice,) = _advice(uint8_dense_file())
    assert advice.kind is AdviceKind.LEGACY_UINT8
    assert "legacy uint8 quantization" in advice.text
    assert AdviceKind.LEGACY_UINT8 not in [one.kind for one in _advice(int8_dense_file())]


def _per_channel_file(name: str, units: int, depth: int) -> bytes:
    maker = FileMaker()
    x = maker.tensor("x", (1, 1, 1, depth) if name == "CONV_2D" else (1, depth), "int8")
    y = maker.tensor("y", (1, 1, 1, units) if name == "CONV_2D" else (1, units), "int8")
    shape = (units, 1, 1, depth) if name == "CONV_2D" else (units, depth)
    weights = maker.tensor(
        "w", shape, "int8", data=bytes(units * depth), quantization=quantization([0.1] * units)
    )
    maker.operator(name, [x, weights, -1], [y])
    return maker.file([x], [y])


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("FULLY_CONNECTED", "quantize the Dense layers per tensor"), ("CONV_2D", "convolutions'")],
)
def test_scales_per_channel_of_a_small_file_are_set_against_it(name, remedy) -> None:
    tflite = _per_channel_file(name, 100, 10)
    (advice,) = _advice(tflite)
    assert advice.kind is AdviceKind.PER_CHANNEL_OVERHEAD
    assert advice.cost_bytes == 100 * 12 - 12
    assert f"take 1,200 of {len(tflite):,} bytes" in advice.text
    assert "would take 12" in advice.text
    assert remedy in advice.text


def test_scales_per_channel_of_a_large_layer_are_worth_it() -> None:
    assert _advice(_per_channel_file("FULLY_CONNECTED", 20, 1000)) == []


def test_integers_that_are_slower_than_floats_are_stated() -> None:
    forms = {"integers": TimedForm(tflite=b"", us=187.0), "floats": TimedForm(tflite=b"", us=115.0)}
    (advice,) = slow_dynamic(forms)
    assert advice.kind is AdviceKind.SLOW_DYNAMIC
    assert "187.0 µs a run on this machine, and 115.0 µs with floats: convert" in advice.text
    assert advice.text.endswith("--quantize dynamic --minimize latency")
    forms["floats"] = TimedForm(tflite=b"", us=180.0)  # as fast, but for chance
    assert list(slow_dynamic(forms)) == []
    assert list(slow_dynamic({})) == []


def test_what_the_delegate_leaves_is_stated_with_its_time() -> None:
    left = [LeftOperator(name="SOFTMAX", subgraph=0, index=10, run_us=2.5)]
    (advice,) = delegation_advice(left, 12, 10.0)
    assert advice.kind is AdviceKind.NOT_DELEGATED
    assert advice.where == ("SOFTMAX 0:10",)
    assert advice.cost_us == 2.5
    assert "1 of 12 operators" in advice.text
    assert "measured 2.5 µs (25% of a run)" in advice.text
    assert delegation_advice([], 12, 10.0) == ()


def test_advice_round_trips() -> None:
    (advice,) = _advice(_normalized_file())
    assert Advice.model_validate_json(advice.model_dump_json()) == advice


def test_long_lists_are_cut() -> None:
    assert listed(("a", "b", "c")) == "a, b, c"
    assert listed(tuple("abcdef"), most=2) == "a, b and 4 more"


def test_the_activations_of_a_recurrent_cell_are_left_alone() -> None:
    """A WHILE of five steps runs them five times; nobody can replace them."""
    cell = FileMaker()
    x, a, b = (cell.tensor(letter, (1, 100)) for letter in "xab")
    cell.operator("TANH", [x], [a])
    cell.operator("RELU", [a], [b])
    body = cell.model([x], [b])
    condition = FileMaker()
    i, more = condition.tensor("i", (), "int32"), condition.tensor("more", (), "bool")
    limit = condition.tensor("limit", (), "int32", data=np.int32([5]))
    condition.operator("LESS", [i, limit], [more])
    test = condition.model([i], [more])
    outer = FileMaker()
    start, end = outer.tensor("x", (1, 100)), outer.tensor("y", (1, 100))
    outer.operator(
        "WHILE", [start], [end], schema.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=2)
    )
    model = outer.model([start], [end])
    model.operatorCodes += [*test.operatorCodes, *body.operatorCodes]
    test.subgraphs[0].operators[0].opcodeIndex = 1
    for index, operator in enumerate(body.subgraphs[0].operators):
        operator.opcodeIndex = 2 + index
    model.buffers = test.buffers
    model.subgraphs += [test.subgraphs[0], body.subgraphs[0]]
    assert _advice(pack_model(model)) == []


def test_a_graph_that_contradicts_itself_is_told() -> None:
    tflite = moving("REVERSE_V2", (0.5, 0.25))
    (advice,) = file_advice(read_model(tflite), tflite)
    assert advice.kind is AdviceKind.CONTRADICTION
    assert advice.where == ("REVERSE_V2 0:0",)
    assert "convert the model again" in advice.text
