"""The generated code under real compilers: host, Cortex-M4 and Cortex-M33."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.microcontrollers.export.micro_build import (
    ARM,
    CORTEX_M,
    HOST,
    STUB,
    call,
    compiled,
    need,
    section_sizes,
)
from tests.runtime.runtime_files import counter_file, int8_dense_file
from tests.tiny_files import FileMaker
from tflite_squeeze.files.files import write_folder
from tflite_squeeze.microcontrollers.export.config import ExportMicro
from tflite_squeeze.microcontrollers.export.export import export_micro


def written(tflite: bytes, folder: Path, **options: object) -> Path:
    exported = export_micro(tflite, ExportMicro(name="dense", **options))  # type: ignore[arg-type]
    write_folder(folder, exported.files, force=False)
    return folder


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(int8_dense_file(), tmp_path_factory.mktemp("c") / "dense")


def _program(folder: Path, target: Path, *, error: int) -> Path:
    """The example and its self-test, on a stand-in that is off by so many steps."""
    model = target.with_suffix(".o")
    call("g++", f"-I{STUB}", f"-DSTUB_ERROR={error}", "-c", STUB / "int8_dense.cc", "-o", model)
    call("g++", *compiled(folder), model, "-o", target)
    return target


def test_the_self_test_passes_on_the_right_answers_and_runs_the_model(
    dense: Path, tmp_path: Path
) -> None:
    need(HOST)
    said = call(_program(dense, tmp_path / "right", error=0))
    assert said.startswith("self-test of dense passed: 4 cases, arena 32 of ")
    assert said.count("output0[") == 8


@pytest.mark.parametrize(("error", "passes"), [(1, True), (2, False)])
def test_the_self_test_allows_one_step_and_no_more(
    dense: Path, tmp_path: Path, error: int, passes: bool
) -> None:
    need(HOST)
    program = _program(dense, tmp_path / "wrong", error=error)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is passes
    assert ("self-test of dense failed: 1" in done.stdout) is not passes


def test_an_arena_that_is_too_small_is_told(dense: Path, tmp_path: Path) -> None:
    need(HOST)
    model = tmp_path / "model.o"
    call("g++", f"-I{STUB}", "-c", STUB / "int8_dense.cc", "-o", model)
    call("g++", *compiled(dense, options=("-DDENSE_ARENA_BYTES=16",)), model, "-o", tmp_path / "t")
    done = subprocess.run([tmp_path / "t"], capture_output=True, text=True, check=False)
    # Minus DENSE_ARENA_TOO_SMALL.
    assert "self-test of dense failed: -3" in done.stdout


@pytest.mark.parametrize("core", CORTEX_M)
def test_object_code_for_cortex_m(
    dense: Path, core: str, record_property: Callable[[str, object], None]
) -> None:
    need(ARM)
    objects = {path.name: path for path in compiled(dense, prefix=ARM, options=CORTEX_M[core])}
    data = section_sizes(objects["dense_data.c.o"])
    code = section_sizes(objects["dense.cc.o"])
    golden = section_sizes(objects["dense_golden.c.o"])
    assert data[".rodata.dense_data"] == len(int8_dense_file())
    arena = next(size for name, size in code.items() if name.startswith(".bss") and "arena" in name)
    assert arena == export_micro(int8_dense_file()).record.arena_bytes
    assert golden[".rodata.dense_golden_input0"] == 4 * 16
    assert golden[".rodata.dense_golden_output0"] == 4 * 8
    # All that the model and its vectors take is constant, and so stays in flash.
    assert data.get(".data", 0) == golden.get(".data", 0) == code.get(".data", 0) == 0
    for name, sizes in (("data", data), ("code", code), ("golden", golden)):
        record_property(f"{core} {name}", sizes)


def test_the_array_in_the_object_is_the_file_and_is_aligned(dense: Path, tmp_path: Path) -> None:
    need(ARM)
    objects = {
        path.name: path for path in compiled(dense, prefix=ARM, options=CORTEX_M["cortex-m4"])
    }
    target, section = tmp_path / "data.bin", ".rodata.dense_data"
    call(f"{ARM}objcopy", "-O", "binary", "-j", section, objects["dense_data.c.o"], target)
    assert target.read_bytes() == int8_dense_file()
    headers = call(f"{ARM}objdump", "-h", objects["dense_data.c.o"])
    (words,) = [line.split() for line in headers.splitlines() if f" {section} " in line]
    assert words[-1] == "2**4"


def test_a_model_with_variables_compiles(tmp_path: Path) -> None:
    need(ARM)
    folder = written(counter_file(), tmp_path / "counter")
    compiled(folder, prefix=ARM, options=CORTEX_M["cortex-m33"])
    assert "MicroResourceVariables::Create(allocator, 1)" in (folder / "dense.cc").read_text()


def test_a_reset_brings_back_what_variables_began_with(tmp_path: Path) -> None:
    need(HOST)
    folder = written(counter_file(), tmp_path / "counter")
    (folder / "main.c").unlink()
    shutil.copy(STUB / "counter.cc", folder / "counter.cc")
    call("g++", *compiled(folder), "-o", tmp_path / "program")
    assert call(tmp_path / "program") == "0 0 11 12\n"


def test_a_sketch_compiles(tmp_path: Path) -> None:
    need(ARM)
    folder = written(int8_dense_file(), tmp_path / "sketch", arduino=True)
    objects = compiled(folder / "dense", prefix=ARM, options=CORTEX_M["cortex-m4"])
    assert [path.name for path in objects] == [
        "dense.cpp.o", "dense.ino.o", "dense_data.c.o", "dense_golden.c.o"
    ]  # fmt: skip


def test_tensors_may_be_called_what_the_code_calls_its_own(tmp_path: Path) -> None:
    need(HOST)
    maker = FileMaker()
    x = maker.tensor("interpreter", (1, 4))
    y, z = maker.tensor("*/ int8_t", (1, 4)), maker.tensor("interpreter", (1, 4))
    maker.operator("RELU", [x], [y])
    maker.operator("RELU", [y], [z])
    folder = written(maker.file([x], [y, z]), tmp_path / "names")
    compiled(folder)
    header = (folder / "dense.h").read_text()
    assert "(const float* interpreter_, float* int8_t_, float* interpreter__2)" in header
