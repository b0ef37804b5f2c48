r"""Runs what `export micro` wrote on a Cortex-M4 that QEMU emulates, linked with the real TFLM.

TFLM's own sources are needed; in a checkout of them:

make -f tensorflow/lite/micro/tools/make/Makefile TARGET=cortex_m_generic \
    TARGET_ARCH=cortex-m4+fp microlite

Then, with Debian's gcc-arm-none-eabi, libstdc++-arm-none-eabi-newlib and qemu-system-arm:

python tools/benchmarks/micro_device.py firmware/lenet_5 --library LIBTFLM.a \
    --include TFLM --include FLATBUFFERS/include --include GEMMLOWP --include RUY
"""

import subprocess
import tempfile
from pathlib import Path

import click

HERE = Path(__file__).with_name("cortex_m4")
CORE = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"]
OPTIONS = ["-Os", "-ffunction-sections", "-fdata-sections", *CORE]
CPP = ["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"]
DEFINES = ["-DTF_LITE_STATIC_MEMORY"]
QEMU = ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-semihosting-config",
        "enable=on,target=native"]  # fmt: skip
TIME_LIMIT_S = 600


def built(folder: Path, library: Path, include: tuple[Path, ...], target: Path) -> Path:
    """The program: the exported files, the start-up code and TFLM."""
    objects = []
    for source in [*sorted(folder.glob("*.c")), *sorted(folder.glob("*.cc")), HERE / "startup.c"]:
        is_c = source.suffix == ".c"
        compiler = ["arm-none-eabi-gcc"] if is_c else ["arm-none-eabi-g++", *CPP]
        paths = [f"-I{path}" for path in (folder, *include)]
        objects.append(target.parent / f"{source.name}.o")
        command = [*compiler, *OPTIONS, *DEFINES, *paths, "-c", source, "-o", objects[-1]]
        subprocess.run(command, check=True)
    link = ["arm-none-eabi-g++", *OPTIONS, "--specs=rdimon.specs", "-T", HERE / "memory.ld"]
    rest = ["-Wl,--gc-sections", *objects, library, "-lm", "-o", target]
    subprocess.run([*link, *rest], check=True)
    return target


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--library", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--include", type=click.Path(path_type=Path, exists=True), multiple=True)
def main(folder: Path, library: Path, include: tuple[Path, ...]) -> None:
    """The command line."""
    with tempfile.TemporaryDirectory() as name:
        program = built(folder, library, include, Path(name) / "program.elf")
        subprocess.run(["arm-none-eabi-size", program], check=True)
        subprocess.run([*QEMU, "-kernel", program], check=True, timeout=TIME_LIMIT_S)


if __name__ == "__main__":
    main()
