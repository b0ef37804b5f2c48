"""Files that nobody here made, on TFLM and an NPU: they work, or are refused with a true reason."""

import re

import pytest

from tests.integration.foreign_files import FLOAT, FLOAT16, SPARSE, STREAMING, foreign_file
from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.microcontrollers import (
    EthosUProfile,
    ExportMicro,
    MicroProfile,
    export_micro,
    profile_ethos_u,
    profile_micro,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", STREAMING)
def test_wake_words_run_stream_and_are_exported(name: str) -> None:
    path = foreign_file(name)
    record = profile_micro(path, MicroProfile(examples=64))
    assert record.stateful
    (output,) = record.outputs
    assert output.max_steps is not None
    assert output.max_steps <= 1
    exported = export_micro(path, ExportMicro(name=name))
    assert exported.record.arena == record.arena
    declared = exported.record.arena_bytes
    assert 0.95 * declared <= record.arena.smallest_bytes <= declared
    text = exported.files[f"{name}_data.c"].decode()
    body = text[text.index("= {") :]
    assert bytes(int(x, 16) for x in re.findall(r"0x(..),", body)) == path.read_bytes()
    variables = int(
        re.findall(r"Create\(allocator, (\d+)\)", exported.files[f"{name}.cc"].decode())[0]
    )
    assert variables == 6


@pytest.mark.parametrize("name", FLOAT)
def test_float_files_run_and_are_exported(name: str) -> None:
    path = foreign_file(name)
    record = profile_micro(path, MicroProfile(examples=1))
    assert all(output.sqnr_db > 100 for output in record.outputs)
    assert record.size.raw_bytes == path.stat().st_size
    exported = export_micro(path).record
    assert 0.95 * exported.arena_bytes <= record.arena.smallest_bytes <= exported.arena_bytes
    with pytest.raises(UnsupportedError, match="Float32"):
        profile_ethos_u(path, EthosUProfile(accelerator="ethos-u55-128"))


@pytest.mark.parametrize("name", [*FLOAT16, *SPARSE])
def test_others_are_refused_with_the_reason(name: str) -> None:
    path = foreign_file(name)
    reason = "no kernel for DENSIFY" if name in SPARSE else "does not compute with float16"
    for refused in (profile_micro, export_micro):
        with pytest.raises(UnsupportedError, match=reason) as caught:
            refused(path)
        assert "tflite-squeeze convert MODEL --quantize int8" in str(caught.value)
    reason = "takes dense weights" if name in SPARSE else "can run no operator of this file"
    with pytest.raises(UnsupportedError, match=reason):
        profile_ethos_u(path, EthosUProfile(accelerator="ethos-u55-128"))


@pytest.mark.parametrize("name", STREAMING)
def test_an_npu_runs_what_is_not_a_variable(name: str) -> None:
    record = profile_ethos_u(foreign_file(name), EthosUProfile(accelerator="ethos-u55-128"))
    kinds = {item.name for item in record.cpu_operators}
    assert kinds == {"ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE"}
