"""The packed form beside gzip, zstd, brotli, xz and NNCodec: reference models and pruned ones.

python tools/benchmarks/pack.py                    # prints the table, renews page and JSON
python tools/benchmarks/pack.py --only resnet_8

"order 0" is the entropy of the weights with the list of their values; "constriction" is what
that library's range coder makes of the weights of integer files with such models, tables of two
bytes a value included. Both leave out all that a file has beside its weights. lenet_5 in tf_keras
has the weights of lenet_5, and is left out. Limits: every file takes less than xz -9, the
reference models in int8 at most 1.02 times order 0 plus 2 KB. Each conversion runs in a process
of its own; seconds are processor time on one core: of packing in this process (with Numba, where it
is installed), and of programs, the reader in C and xz, the shortest of five.
"""

import json
import lzma
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import brotli
import click
import numpy as np
import zstandard
from measured_table import renew_page

from tflite_squeeze.packing import sqz_reader
from tflite_squeeze.packing.pack import pack, unpack
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.size import download_bytes, size_ledger
from tflite_squeeze.tflite.weights import weights_of

MODES = ("int8", "float16", "dynamic")
REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("pack.json")
PRUNED = ((0.9, 0), (0.98, 0), (0.98, 32))


def converted(path: str, mode: str, samples: str) -> bytes:
    """A reference model's file; runs in a child process."""
    from tflite_squeeze.conversion.convert import convert
    from tflite_squeeze.emission.config import Convert

    return convert(path, Convert(quantize=mode), samples, verification=None).tflite


def pruned(zeros: float, values: int, mode: str, encoding: str) -> bytes:
    """LeNet-300-100 with its smallest weights at 0, the others on few values; in a child."""
    import sparse_files

    from tflite_squeeze.conversion.convert import convert
    from tflite_squeeze.emission.config import Convert

    model = sparse_files.pruned(zeros)
    for layer in model.layers:
        if values and hasattr(layer, "kernel"):
            weights = layer.kernel.numpy()
            kept = weights[weights != 0]
            book = np.quantile(kept, (np.arange(values - 1) + 0.5) / (values - 1))
            nearest = book[np.abs(weights[..., None] - book).argmin(-1)]
            layer.kernel.assign(np.where(weights == 0, 0, nearest))
    config = Convert(quantize=mode, per_channel_dense=False, sparsity=encoding)
    return convert(model, config, sparse_files.SAMPLES, verification=None).tflite


def constriction_bytes(tflite: bytes) -> int | None:
    """The weights of an integer file through constriction's range coder, order 0."""
    import constriction

    words = 0
    for weight in weights_of(read_model(tflite)):
        if weight.values is None or weight.values.dtype.kind not in "iu":
            return None
        values, places = np.unique(weight.values.reshape(-1), return_inverse=True)
        shares = np.bincount(places) / len(places)
        words += (2 * len(values) + 3) // 4
        if len(values) > 1:
            model = constriction.stream.model.Categorical(shares, perfect=False)
            coder = constriction.stream.queue.RangeEncoder()
            coder.encode(places.astype(np.int32), model)
            words += len(coder.get_compressed())
        else:
            words += 1
    return 4 * words


def nncodec_bytes(tflite: bytes) -> int | None:
    """The weights of an integer file through NNCodec's coder; None where it is not installed."""
    python = REPOSITORY / "build" / "nncodec" / "bin" / "python"
    values = [weight.values for weight in weights_of(read_model(tflite))]
    if not python.exists() or any(one is None or one.dtype.kind not in "iu" for one in values):
        return None
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file, *values)
        file.flush()
        script = Path(__file__).with_name("nncodec_weights.py")
        done = subprocess.run([python, script, file.name], capture_output=True, check=True)
    return int(done.stdout)


def program_s(*command: str | Path) -> float:
    """The processor time of a program, the shortest of five runs."""
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = [getattr(after, key) - getattr(before, key) for key in ("ru_utime", "ru_stime")]
        times.append(sum(spent))
    return round(min(times), 4)


def program_times(tflite: bytes, packed: bytes) -> dict[str, float]:
    """Seconds of unpacking with the reader in C and with xz, and of packing with xz."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = Path(sqz_reader.__file__).with_name("sqz_reader.c")
        program = folder / "unsqz"
        subprocess.run(["gcc", "-O2", "-DSQZ_MAIN", source, "-o", program], check=True)
        (folder / "net.tflite").write_bytes(tflite)
        (folder / "net.sqz").write_bytes(packed)
        subprocess.run(["xz", "-9", "--keep", folder / "net.tflite"], check=True)
        found = {
            "unpack_c_s": program_s(program, folder / "net.sqz", folder / "back"),
            "unpack_xz_s": program_s("xz", "-dc", folder / "net.tflite.xz"),
            "pack_xz_s": program_s("xz", "-9", "--stdout", folder / "net.tflite"),
        }
        if (folder / "back").read_bytes() != tflite:
            raise click.ClickException("the reader in C unpacks something else")
        return found


def row(name: str, mode: str, tflite: bytes) -> dict[str, Any]:
    """All sizes of one file."""
    begin = time.process_time()
    packed = pack(tflite)
    middle = time.process_time()
    if unpack(packed) != tflite:
        raise click.ClickException(f"{name} {mode}: not the same bytes")
    return {
        "model": name,
        "mode": mode,
        "raw_bytes": len(tflite),
        "gzip_bytes": download_bytes(tflite),
        "xz_bytes": len(lzma.compress(tflite, preset=9)),
        "zstd_bytes": len(zstandard.ZstdCompressor(level=19).compress(tflite)),
        "brotli_bytes": len(brotli.compress(tflite)),
        "packed_bytes": len(packed),
        "entropy_bytes": size_ledger(tflite).entropy_bytes,
        "constriction_bytes": constriction_bytes(tflite),
        "nncodec_bytes": nncodec_bytes(tflite),
        "pack_s": round(middle - begin, 2),
        "unpack_s": round(time.process_time() - middle, 2),
        **program_times(tflite, packed),
    }


def rows(only: str | None) -> Iterator[dict[str, Any]]:
    """A row per file."""
    entries = json.loads((REPOSITORY / "models" / "manifest.json").read_text())["models"]
    jobs: list[tuple[Any, ...]] = [
        (entry["name"], mode, converted, str(REPOSITORY / "models" / entry["file"]), mode,
         str(REPOSITORY / "models" / "samples" / f"{entry['data_set']}.npz"))
        for entry in entries if not entry["name"].endswith("tf_keras")
        for mode in MODES
    ]  # fmt: skip
    for zeros, values in PRUNED:
        name = f"lenet_300_100, {zeros:.0%} zeros" + (f", {values} values" if values else "")
        jobs += [(name, mode, pruned, zeros, values, mode, "dense") for mode in ("int8", "none")]
        jobs.append((f"{name}, sparse", "int8", pruned, zeros, values, "int8", "sparse"))
    for name, mode, job, *arguments in jobs:
        if only in (None, name):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as worker:
                tflite = worker.submit(job, *arguments).result()
            yield row(name, mode, tflite)


def markdown(found: list[dict[str, Any]]) -> str:
    """The table of docs/measured/pack.md."""
    lines = [
        "| model | quantization | raw | gzip -9 | zstd -19 | brotli | xz -9 | packed | order 0 | "
        "constriction | NNCodec | packing ÷ xz | unpacking in C (ms) | ÷ xz |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    keys = ("raw", "gzip", "zstd", "brotli", "xz", "packed", "entropy", "constriction", "nncodec")
    for one in found:
        sizes = [f"{one[f'{key}_bytes']:,}" if one[f"{key}_bytes"] else "" for key in keys]
        lines.append(
            f"| {one['model']} | {one['mode']} | {' | '.join(sizes)} | "
            f"{one['pack_s'] / one['pack_xz_s']:.1f} | {1e3 * one['unpack_c_s']:.0f} | "
            f"{one['unpack_c_s'] / one['unpack_xz_s']:.1f} |"
        )
    return "\n".join(lines)


def failures(found: list[dict[str, Any]]) -> list[str]:
    """The files that miss a limit."""
    missed = []
    for one in found:
        name, size = f"{one['model']} {one['mode']}", one["packed_bytes"]
        if size >= one["xz_bytes"]:
            missed.append(f"{name}: {size:,} bytes, xz {one['xz_bytes']:,}")
        limit = 1.02 * one["entropy_bytes"] + 2048
        if one["mode"] == "int8" and "zeros" not in one["model"] and size > limit:
            missed.append(f"{name}: {size:,} bytes, limit {limit:,.0f}")
    return missed


@click.command(help=__doc__)
@click.option("--only", help="This model only; page and JSON stay as they are.")
def main(only: str | None) -> None:
    """The command line."""
    found = []
    for one in rows(only):
        found.append(one)
        click.echo(markdown([one]).splitlines()[-1])
    missed = failures(found)
    for line in missed:
        click.echo(f"missed: {line}")
    if only is None:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")
        renew_page("pack", "pack", markdown(found))
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    main()
