"""Peak memory of `convert --quantize int8` on a large .npz file, beside the file's size.

Makes the file from seeded images in a temporary folder (TMPDIR; it has to lie on a disk), converts
in a child process, and does the same with 256 images for what the conversion takes by itself.

python tools/benchmarks/npz_memory.py --size-mb 2048
python tools/benchmarks/npz_memory.py --size-mb 1024 --compressed
"""

import os
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
MODEL = REPOSITORY / "models" / "lenet_5.keras"
SHAPE = (28, 28)
AT_ONCE = 20_000
FEW = 256
# Images of so many grey values shrink, to about a half.
GREY_VALUES = 16


@dataclass(frozen=True)
class Cost:
    """What a child process took."""

    peak_bytes: int
    seconds: float


def write_images(path: Path, count: int, *, compressed: bool, seed: int) -> None:
    """Writes an .npz file piece by piece, so that this process stays small.

    Args:
        path: the file.
        count: how many images of 28 by 28 bytes.
        compressed: whether as `np.savez_compressed` writes them.
        seed: of their pixels.
    """
    rng = np.random.default_rng(seed)
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind, compresslevel=1) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as member:
            header = {"descr": "|u1", "fortran_order": False, "shape": (count, *SHAPE)}
            np.lib.format.write_array_header_1_0(member, header)
            for start in range(0, count, AT_ONCE):
                images = rng.integers(
                    0, GREY_VALUES, (min(AT_ONCE, count - start), *SHAPE), np.uint8
                )
                member.write(images)
        with archive.open("y.npy", "w") as member:
            np.save(member, rng.integers(0, 10, count, np.uint8))


def convert(data: Path, folder: Path) -> Cost:
    """Converts in a child process and returns what it took.

    Args:
        data: the .npz file.
        folder: where the result goes.

    Raises:
        SystemExit: the conversion failed.
    """
    command = [sys.executable, "-m", "tflite_squeeze", "convert", str(MODEL), "--quantize", "int8"]
    command += ["--data", str(data), "--scale", "1/255", "--add-channel", "--force"]
    command += ["-o", str(folder / "out.tflite")]
    started = time.perf_counter()
    child = os.posix_spawn(sys.executable, command, {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    _, status, usage = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit("the conversion failed: see above")
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(peak_bytes=usage.ru_maxrss * unit, seconds=time.perf_counter() - started)


@click.command(help=__doc__)
@click.option("--size-mb", type=click.IntRange(min=1), default=2048, show_default=True)
@click.option("--compressed", is_flag=True, help="As np.savez_compressed writes it.")
@click.option("--seed", default=0, show_default=True)
def main(size_mb: int, compressed: bool, seed: int) -> None:
    """The command line."""
    images = size_mb * 2**20 // (SHAPE[0] * SHAPE[1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, count in (("few", FEW), ("many", images)):
            data = folder / f"{label}.npz"
            write_images(data, count, compressed=compressed, seed=seed)
            cost = convert(data, folder)
            unpacked = count * SHAPE[0] * SHAPE[1]
            click.echo(
                f"{count:,} images, {unpacked / 2**20:,.0f} MiB in a file of "
                f"{data.stat().st_size / 2**20:,.0f} MiB: peak {cost.peak_bytes / 2**20:,.0f} MiB, "
                f"{cost.seconds:.0f} s"
            )


if __name__ == "__main__":
    main()
