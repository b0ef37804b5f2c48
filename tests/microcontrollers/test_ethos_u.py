import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from tests.emission.low_bit.integer_layers import integer_layer
from tests.emission.low_bit.test_narrowed import codes
from tests.runtime.runtime_files import int8_dense_file, named_dense_file
from tests.tiny_files import FileMaker, dense_file, quantization
from tflite_squeeze.emission.low_bit.narrowed import narrowed
from tflite_squeeze.errors import InputError, RuntimeFailure, UnsupportedError
from tflite_squeeze.microcontrollers.ethos_u import profile_ethos_u
from tflite_squeeze.microcontrollers.ethos_u_compiler import ethos_u_job, reasons_in
from tflite_squeeze.microcontrollers.ethos_u_record import ETHOS_U, EthosUProfile, EthosURecord


def test_reasons_stand_with_their_operators() -> None:
    lines = [
        "Warning: No configuration file specified.",
        "Warning (supported operators) operator: EXP, ofm: 'y'",
        "Reason: Unsupported opType",
        "Warning (supported operators) operator: CONV_2D, ofm: 'z'",
        "Reason: Unsupported kernel stride: 4, 1",
        "Reason: of nobody",
    ]
    assert reasons_in(lines) == [
        ("EXP", "y", "Unsupported opType"),
        ("CONV_2D", "z", "Unsupported kernel stride: 4, 1"),
    ]


def test_an_estimate_and_its_record(tmp_path: Path) -> None:
    path = tmp_path / "dense.tflite"
    path.write_bytes(int8_dense_file())
    record = profile_ethos_u(path)
    assert record.config.accelerator == "ethos-u55-128"
    assert record.file == "dense.tflite"
    # 8 outputs of 16 products each.
    assert record.macs == 128
    assert record.clock_hz == 500e6
    assert record.npu_cycles <= record.cycles
    assert record.inferences_per_second == pytest.approx(record.clock_hz / record.cycles, rel=0.01)
    assert record.sram_bytes > 0
    assert record.off_chip_flash_bytes > 0
    assert record.cpu_operators == ()
    assert record.operators == 1
    assert EthosURecord.model_validate(json.loads(record.model_dump_json())) == record


def test_what_stays_on_the_cpu_is_named_with_the_compilers_reason() -> None:
    maker = FileMaker()
    eighth = quantization([0.125])
    x = maker.tensor("x", (1, 8), "int8", quantization=eighth)
    doubled = maker.tensor("d", (1, 8), "int8", quantization=eighth)
    real = maker.tensor("r", (1, 8))
    maker.operator("ADD", [x, x], [doubled], version=2)
    maker.operator("DEQUANTIZE", [doubled], [real], version=2)
    record = profile_ethos_u(maker.file([x], [real]))
    assert [(item.name, item.count, item.reason) for item in record.cpu_operators] == [
        ("DEQUANTIZE", 1, "Unsupported opType")
    ]
    assert record.operators == 2


def test_a_file_of_which_nothing_reaches_the_npu_is_refused() -> None:
    with pytest.raises(UnsupportedError) as caught:
        profile_ethos_u(named_dense_file())
    assert "can run no operator of this file (FULLY_CONNECTED: " in str(caught.value)
    assert "Float32" in str(caught.value)
    assert "--quantize int8" in str(caught.value)


def test_a_damaged_file_is_refused() -> None:
    with pytest.raises(InputError, match="damaged"):
        profile_ethos_u(dense_file()[:300])


def test_budgets() -> None:
    tight = EthosUProfile(max_ram_bytes=1, max_flash_bytes=1)
    record = profile_ethos_u(int8_dense_file(), tight)
    assert not record.passed
    assert record.over_budget[0].startswith("SRAM and DRAM take")
    assert record.over_budget[1].startswith("the compiled file takes")
    loose = EthosUProfile(max_ram_bytes=1 << 20, max_flash_bytes=1 << 20)
    assert profile_ethos_u(int8_dense_file(), loose).passed


@pytest.mark.parametrize("accelerator", ETHOS_U)
def test_every_configuration_compiles(accelerator: str) -> None:
    config = EthosUProfile(accelerator=accelerator)
    record = profile_ethos_u(int8_dense_file(), config)
    assert record.cycles > 0
    assert EthosUProfile.model_validate_json(config.model_dump_json()) == config


def test_an_npu_that_nobody_makes_is_refused() -> None:
    with pytest.raises(ValidationError):
        EthosUProfile(accelerator="ethos-u55-100")


def test_without_vela_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ethosu.vela.vela", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'tflite_squeeze\[ethos-u\]'"):
        ethos_u_job(tmp_path / "model.tflite", {"accelerator": "ethos-u55-128"}, {})


def test_what_vela_does_not_compile_is_told_in_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def main(arguments: list[str]) -> int:
        print(f"no place for {arguments[2]}")  # noqa: T201  # Vela prints
        return 1

    monkeypatch.setitem(sys.modules, "ethosu.vela.vela", SimpleNamespace(main=main))
    with pytest.raises(RuntimeFailure, match=r"does not compile this file.*no place for ethos-u55"):
        ethos_u_job(tmp_path / "model.tflite", {"accelerator": "ethos-u55-128"}, {})


def test_what_its_native_part_refuses_is_told_in_its_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def main(arguments: list[str]) -> int:
        raise RuntimeError("could not run on NPU")

    monkeypatch.setitem(sys.modules, "ethosu.vela.vela", SimpleNamespace(main=main))
    with pytest.raises(RuntimeFailure, match=r"does not compile this file .could not run on NPU"):
        ethos_u_job(tmp_path / "model.tflite", {"accelerator": "ethos-u55-128"}, {})


def test_sparse_weights_are_refused_with_the_command_for_dense_ones() -> None:
    maker = FileMaker()
    x, dense = maker.tensor("x", (1, 2)), maker.tensor("d", (1, 2))
    maker.operator("DENSIFY", [x], [dense])
    with pytest.raises(UnsupportedError) as caught:
        profile_ethos_u(maker.file([x], [dense]))
    assert "DENSIFY (1x: 0:0)" in str(caught.value)
    assert "--quantize int8 --sparsity dense" in str(caught.value)


def test_weights_of_four_bits_are_refused_with_the_command_for_eight() -> None:
    few, _ = narrowed(integer_layer("FULLY_CONNECTED", codes((6, 64))))
    with pytest.raises(UnsupportedError) as caught:
        profile_ethos_u(few)
    assert "weights of 4 or 2 bits in FULLY_CONNECTED (1x: 0:0)" in str(caught.value)
    assert "--low-bit off" in str(caught.value)
