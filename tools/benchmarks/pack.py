"""The packed form beside gzip, xz and zstd: every reference model, quantized, and pruned ones.

python tools/benchmarks/pack.py                    # prints the table, renews page and JSON
python tools/benchmarks/pack.py --only resnet_8

"order 0" is the entropy of the weights with the list of their values; "constriction" is what
that library's range coder makes of the weights of integer files with such models, tables of two
bytes a value included. Both leave out all that a file has beside its weights. lenet_5 in tf_keras
has the weights of lenet_5, and is left out. Limits: every file takes less than xz -9, the
reference models in int8 at most 1.02 times order 0 plus 2 KB. Each conversion runs in a process
of its own; seconds are processor time on one core.
"""

import json
import lzma
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import numpy as np
import zstandard
from measured_table import renew_page

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
        "packed_bytes": len(packed),
        "entropy_bytes": size_ledger(tflite).entropy_bytes,
        "constriction_bytes": constriction_bytes(tflite),
        "pack_s": round(middle - begin, 2),
        "unpack_s": round(time.process_time() - middle, 2),
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
        "| model | quantization | raw | gzip -9 | zstd -19 | xz -9 | packed | order 0 | "
        "constriction | unpacking (s) |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in found:
        sizes = [
            f"{one[f'{key}_bytes']:,}" if one[f"{key}_bytes"] else ""
            for key in ("raw", "gzip", "zstd", "xz", "packed", "entropy", "constriction")
        ]
        lines.append(
            f"| {one['model']} | {one['mode']} | {' | '.join(sizes)} | {one['unpack_s']:.2f} |"
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
