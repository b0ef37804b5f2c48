import json
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from pydantic import ValidationError

from tests.runtime.runtime_files import (
    constant_file,
    counter_file,
    custom_file,
    fft_scale_file,
    int8_dense_file,
    named_dense_file,
    relu_file,
    two_signatures_file,
    uint8_dense_file,
)
from tests.tiny_files import FileMaker, dense_file, quantization
from tflite_squeeze.errors import InputError, UnsupportedError
from tflite_squeeze.microcontrollers import profile as module
from tflite_squeeze.microcontrollers.profile import example_inputs, profile_micro, run_micro
from tflite_squeeze.microcontrollers.record import MicroProfile, MicroRecord
from tflite_squeeze.microcontrollers.tables import micro_tables
from tflite_squeeze.tables.markdown import to_markdown


def densify_file() -> bytes:
    maker = FileMaker()
    x, dense, y = maker.tensor("x", (1, 2)), maker.tensor("d", (1, 2)), maker.tensor("y", (1, 2))
    maker.operator("DENSIFY", [x], [dense])
    maker.operator("RELU", [dense], [y])
    return maker.file([x], [y])


def float16_file() -> bytes:
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 2)), maker.tensor("y", (1, 2))
    halves = maker.tensor("h", (1, 2), "float16", data=np.float16([[1, 2]]))
    full = maker.tensor("f", (1, 2))
    maker.operator("DEQUANTIZE", [halves], [full], version=3)
    maker.operator("ADD", [x, full], [y], schema.AddOptionsT())
    return maker.file([x], [y])


def hybrid_file() -> bytes:
    """Integer weights, float activations, as dynamic quantization makes them."""
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 4)), maker.tensor("y", (1, 2))
    levels = np.ones((2, 4), np.int8)
    w = maker.tensor("w", (2, 4), "int8", data=levels, quantization=quantization([0.5]))
    maker.operator("FULLY_CONNECTED", [x, w, -1], [y], schema.FullyConnectedOptionsT(), version=3)
    return maker.file([x], [y])


def typed_file(dtype: str) -> bytes:
    maker = FileMaker()
    x, y = maker.tensor("x", (1, 2), dtype), maker.tensor("y", (1, 2))
    maker.operator("RELU", [x], [y])
    return maker.file([x], [y])


def unknown_type_file(quantization_of_the_rest: str) -> bytes:
    """A QUANTIZE to int32, which TFLM has no kernel for, in a file that is int8 or float."""
    maker = FileMaker()
    x, real = maker.tensor("x", (1, 4)), maker.tensor("real", (1, 4))
    out = maker.tensor("o", (1, 4), "int32", quantization=quantization([0.5], [3]))
    ends = [x]
    if quantization_of_the_rest == "int8":
        steps = quantization([0.5])
        a, b = (maker.tensor(name, (1, 4), "int8", quantization=steps) for name in "ab")
        maker.operator("RELU", [a], [b])
        ends.append(a)
    maker.operator("RELU", [x], [real])
    maker.operator("QUANTIZE", [real], [out])
    return maker.file(ends, [out])


def test_a_dense_layer_by_hand() -> None:
    x = np.float32([[[1, 2, 3]], [[4, 5, 6]]])
    run = run_micro(named_dense_file(), [x])
    np.testing.assert_allclose(run.outputs[0], [[[0, 2.5]], [[0, 7]]])
    arena = run.arena
    assert arena.total_bytes == arena.head_bytes + arena.tail_bytes
    assert sum(part.used_bytes for part in arena.persistent) <= arena.tail_bytes
    # Three inputs and two outputs of 4 bytes, each on 16.
    assert arena.head_bytes == 32


def test_integers_by_hand() -> None:
    x = np.zeros((1, 1, 16), np.int8)
    x[..., 0] = 2
    # 2 * (1/2) * w / 4 + 8 / 8, in steps of 1/8; w of row 0 begins with -3, of row 1 with -1.
    (y,) = run_micro(int8_dense_file(), [x]).outputs
    assert y.dtype == np.int8
    assert y.ravel()[:2].tolist() == [2, 6]


def test_the_smallest_arena_works_and_less_does_not() -> None:
    x = list(example_inputs(int8_dense_file(), 2, 0).values())
    free = run_micro(int8_dense_file(), x)
    size = free.arena.smallest_bytes
    again = run_micro(int8_dense_file(), x, arena_bytes=size)
    np.testing.assert_array_equal(again.outputs[0], free.outputs[0])
    with pytest.raises(UnsupportedError, match=f"the smallest that works has {size:,}"):
        run_micro(int8_dense_file(), x, arena_bytes=size - 16)


def test_a_profile_and_its_record(tmp_path: Path) -> None:
    path = tmp_path / "dense.tflite"
    path.write_bytes(int8_dense_file())
    record = profile_micro(path, MicroProfile(examples=8))
    assert record.file == "dense.tflite"
    assert record.flash_bytes == len(path.read_bytes()) == record.size.raw_bytes
    assert [(item.name, item.count, item.method) for item in record.operators] == [
        ("FULLY_CONNECTED", 1, "AddFullyConnected")
    ]
    assert [(item.name, item.dtype, item.shape) for item in record.inputs] == [
        ("x", "int8", (1, 16))
    ]
    (output,) = record.outputs
    assert output.output == "y"
    assert output.max_steps is not None
    assert output.max_steps <= 1
    assert record.passed
    assert not record.stateful
    assert MicroRecord.model_validate(json.loads(record.model_dump_json())) == record


def test_a_difference_to_litert_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = module.run_file

    def off_by_two_steps(*args: object, **options: object) -> object:
        result = honest(*args, **options)  # type: ignore[arg-type]
        result.outputs["y"][0, 0] += 0.25
        return result

    monkeypatch.setattr(module, "run_file", off_by_two_steps)
    (output,) = profile_micro(int8_dense_file(), MicroProfile(examples=2)).outputs
    assert output.max_abs_difference == pytest.approx(0.25)
    assert output.max_steps == pytest.approx(2)
    assert output.sqnr_db < 60


@pytest.mark.slow
def test_state_goes_from_example_to_example_as_on_a_device() -> None:
    ones = np.ones((3, 1, 1), np.float32)
    run = run_micro(counter_file(), [ones])
    np.testing.assert_array_equal(run.outputs[0].ravel(), [11, 12, 13])
    record = profile_micro(counter_file(), MicroProfile(examples=5))
    assert record.stateful
    assert record.outputs[0].max_abs_difference < 1e-5
    assert record.outputs[0].varies
    assert not profile_micro(constant_file()).outputs[0].varies


def test_of_several_signatures_the_main_subgraphs_runs() -> None:
    record = profile_micro(two_signatures_file(), MicroProfile(examples=2))
    assert [item.output for item in record.outputs] == ["y"]
    assert record.outputs[0].max_abs_difference == 0


@pytest.mark.slow
def test_budgets() -> None:
    tight = profile_micro(int8_dense_file(), MicroProfile(max_ram_bytes=16, max_flash_bytes=64))
    assert not tight.passed
    assert [line.split()[1] for line in tight.over_budget] == ["arena", "file"]
    loose = MicroProfile(max_ram_bytes=1 << 20, max_flash_bytes=1 << 20)
    assert profile_micro(int8_dense_file(), loose).passed
    with pytest.raises(ValidationError):
        MicroProfile(max_ram_bytes=0)


def test_the_config_round_trips() -> None:
    config = MicroProfile(examples=3, seed=7, max_ram_bytes=1024)
    assert MicroProfile.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("tflite", "named", "remedy"),
    [
        (densify_file(), "DENSIFY (1x: 0:0)", "--quantize int8 --sparsity dense --data"),
        (custom_file("FlexErf"), "FlexErf (1x: 0:0)", "replace the layers"),
        (custom_file("FlexTensorListReserve"), "FlexTensorListReserve", "with --batch 1"),
        (custom_file("LceBconv2d"), "LceBconv2d (1x: 0:0)", "only Larq Compute Engine"),
        (custom_file("ethos-u"), "ethos-u (1x: 0:0)", "already compiled for an Ethos-U NPU"),
        (custom_file("Mine"), "Mine (1x: 0:0)", "tflite-squeeze inspect FILE.tflite"),
        (float16_file(), "DEQUANTIZE (1x: 0:0)", "--quantize int8"),
        (hybrid_file(), "operator 0, FULLY_CONNECTED", "--quantize int8"),
        (typed_file("float64"), "tensor 'x' of RELU 0:0 is of type float64", "of float32, int8"),
        (typed_file("int4"), "tensor 'x' of RELU 0:0 is of type int4", "of float32, int8"),
        (typed_file("string"), "tensor 'x' of RELU 0:0 is of type string", "of float32, int8"),
        (relu_file((1, 2, 1), (1, -1, 1)), "RELU 0:0 has an open shape (1x?x1)", "--input-shape"),
        (uint8_dense_file(), "legacy uint8 quantization", "--quantize int8"),
        (unknown_type_file("none"), "operator 1, QUANTIZE", "replace the layer"),
        (unknown_type_file("int8"), "operator 2, QUANTIZE", "replace the layer"),
    ],
)
def test_what_tflm_cannot_run_is_refused_with_operator_and_remedy(
    tflite: bytes, named: str, remedy: str
) -> None:
    with pytest.raises(UnsupportedError) as caught:
        profile_micro(tflite)
    assert named in str(caught.value)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_option_that_cannot_help_is_not_named() -> None:
    for tflite in (custom_file("FlexErf"), unknown_type_file("int8")):
        with pytest.raises(UnsupportedError) as caught:
            profile_micro(tflite)
        assert "--" not in str(caught.value)


def test_a_batch_that_is_open_is_the_one_that_the_file_names() -> None:
    record = profile_micro(relu_file((1, 2), (-1, 2)), MicroProfile(examples=3))
    assert record.inputs[0].shape == (1, 2)
    assert record.outputs[0].max_abs_difference == 0


def test_signal_operators_run_without_a_comparison() -> None:
    x = np.int16([[1, 2, 3, 4, -5, 6, 7, 8]])
    scaled, shift = run_micro(fft_scale_file(), [x]).outputs
    # The largest, 8, is 4 bits; of 15 that a positive int16 has, 11 are free.
    np.testing.assert_array_equal(scaled, x << 11)
    assert shift.tolist() == [11]
    record = profile_micro(fft_scale_file(), MicroProfile(examples=2))
    assert (record.outputs, record.tflm_only) == ((), ("SignalFftAutoScale",))
    text = to_markdown(micro_tables(record))
    assert "not compared: LiteRT cannot run TFLM's own operators (SignalFftAutoScale)" in text


def test_a_damaged_file_is_refused() -> None:
    with pytest.raises(InputError, match="damaged"):
        profile_micro(dense_file()[:300])
