"""The readers in C and Kotlin: what they unpack is bit by bit what was packed."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.android import android_tools as tools
from tests.packing.packed_files import FILES
from tflite_squeeze.packing import sqz_reader
from tflite_squeeze.packing.pack import pack

SOURCES = Path(sqz_reader.__file__).parent
_HINT = "run `make compilers`"
_WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wvla", "-Werror"]
_MACHINES = {"x86_64": [], "aarch64": ["qemu-aarch64"], "s390x": ["qemu-s390x"]}


def _compiler(machine: str) -> str:
    return "gcc" if machine == "x86_64" else f"{machine}-linux-gnu-gcc"


def _needed(machine: str) -> pytest.MarkDecorator:
    programs = [_compiler(machine), *_MACHINES[machine]]
    missing = [name for name in programs if shutil.which(name) is None]
    if missing and os.environ.get("CI") == "true":
        raise RuntimeError(f"continuous integration has no {missing[0]}: {_HINT}")
    return pytest.mark.skipif(bool(missing), reason=f"no {' '.join(missing)}: {_HINT}")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, paths = tmp_path_factory.mktemp("packed"), {}
    for number, (name, content) in enumerate(FILES.items()):
        paths[name] = folder / f"{number}.sqz"
        paths[name].write_bytes(pack(content))
    return paths


def _compiled(folder: Path, machine: str, *options: str) -> list[str]:
    program = folder / f"unsqz_{machine}"
    command = [_compiler(machine), "-std=c99", "-O2", "-DSQZ_MAIN", *_WARNINGS, *options]
    tools.told([*command, SOURCES / "sqz_reader.c", "-o", program])
    return [*_MACHINES[machine], str(program)]


@pytest.mark.parametrize("machine", [pytest.param(one, marks=_needed(one)) for one in _MACHINES])
def test_the_reader_in_c_unpacks_every_kind_of_numbers(
    machine: str, packed: dict[str, Path], tmp_path: Path
) -> None:
    program = _compiled(tmp_path, machine, *(["-static"] if machine != "x86_64" else []))
    for name, path in packed.items():
        tools.told([*program, path, tmp_path / "out"])
        assert (tmp_path / "out").read_bytes() == FILES[name], name


@pytest.mark.slow
@_needed("x86_64")
def test_the_reader_in_c_refuses_damaged_files(packed: dict[str, Path], tmp_path: Path) -> None:
    sanitized = ("-fsanitize=address,undefined", "-fno-sanitize-recover")
    program = _compiled(tmp_path, "x86_64", *sanitized)
    bad, out = tmp_path / "bad.sqz", tmp_path / "out"
    for seed, name in enumerate(["int8", "few values", "products", "sparse int8", "float64"] * 8):
        rng = random.Random(seed)
        content = bytearray(packed[name].read_bytes())
        at = rng.randrange(len(content))
        if seed % 3:
            content[at] ^= 1 << rng.randrange(8)
        else:
            del content[at:]
        bad.write_bytes(content)
        done = subprocess.run([*program, bad, out], capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert "damaged one" in done.stderr
        assert not out.exists()


_MAIN = """\
import java.io.File
import java.io.IOException

fun main(arguments: Array<String>) {
    val (limit, from, to) = arguments
    for (file in File(from).listFiles()!!.filter { it.extension == "sqz" }) {
        val out = File(to, file.nameWithoutExtension)
        try {
            file.inputStream().use { packed ->
                out.outputStream().use { SqzReader.unpack(packed, it, limit.toLong()) }
            }
        } catch (error: IOException) {
            out.writeText(error.message!!)
        }
    }
}
"""


@pytest.mark.slow
@tools.needed(tools.missing_compiler())
def test_the_reader_in_kotlin_unpacks_the_same_and_refuses_what_is_damaged(
    packed: dict[str, Path], tmp_path: Path
) -> None:
    main, out = tmp_path / "Main.kt", tmp_path / "out"
    main.write_text(_MAIN)
    out.mkdir()
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    tools.compile_kotlin([main, SOURCES / "sqz_reader.kt"], tmp_path / "classes", stubs)
    folder = next(iter(packed.values())).parent
    whole = packed["int8"].read_bytes()
    bad = folder / "bad.sqz"
    bad.write_bytes(whole[:300] + b"\0" + whole[301:])
    libraries = os.pathsep.join(
        [str(tmp_path / "classes"), str(tools.KOTLIN / "kotlin-stdlib.jar")]
    )
    tools.told(["java", "-cp", libraries, "MainKt", "1000000", folder, out])
    for name, path in packed.items():
        assert (out / path.stem).read_bytes() == FILES[name], name
    assert "damaged one" in (out / "bad").read_text()
    tools.told(["java", "-cp", libraries, "MainKt", "100", folder, out])
    assert "more than 100" in (out / packed["int8"].stem).read_text()
    bad.unlink()
