"""Every reference model in every quantization: bytes, latency and accuracy on the full test set.

python tools/benchmarks/reference_table.py              # prints the table, renews page and JSON
python tools/benchmarks/reference_table.py --only lenet_5

Each conversion runs in a process of its own, since TensorFlow's converter keeps memory. Latency
is of one thread, the median of several profiles taken in turns, so that a noisy moment hits all
modes alike.
"""

import json
import os
import platform
import statistics
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
from measured_table import renew_page

from tflite_squeeze.profiling.profile import Profile, profile

REPOSITORY = Path(__file__).resolve().parents[2]
MODES = ("none", "float16", "dynamic", "int8", "int16x8")
RESULTS = Path(__file__).with_name("reference_table.json")


def convert_and_verify(path: str, dataset: str, mode: str) -> tuple[bytes, dict[str, Any]]:
    """Converts one model and compares both on the full test set; runs in a child process."""
    from tflite_squeeze.conversion.convert import convert
    from tflite_squeeze.emission.config import Convert
    from tflite_squeeze.verification.record import Verify

    converted = convert(path, Convert(quantize=mode), dataset, verification=Verify(samples=None))
    check = converted.record.verification
    (output,) = check.outputs
    return converted.tflite, {
        "raw_bytes": converted.record.size.raw_bytes,
        "download_bytes": converted.record.size.download_bytes,
        "passed": check.passed,
        "sqnr_db": output.sqnr_db,
        **output.accuracy.model_dump(),
    }


def measured(entry: dict[str, Any], rounds: int) -> list[dict[str, Any]]:
    """One row per mode of one model."""
    path = str(REPOSITORY / "models" / entry["file"])
    rows, files = [], []
    for mode in MODES:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as worker:
            job = worker.submit(convert_and_verify, path, entry["data_set"], mode)
            tflite, facts = job.result()
        rows.append({"model": entry["name"], "mode": mode, **facts})
        files.append(tflite)
        click.echo(f"{entry['name']} {mode}: {facts['raw_bytes']:,} bytes, {facts['file']:.2%}")
    medians: list[list[float]] = [[] for _ in MODES]
    for _ in range(rounds):
        for position, tflite in enumerate(files):
            record = profile(tflite, Profile(min_seconds=0.5, warmup_seconds=0.2))
            medians[position].append(record.latency.median_us)
    for row, values in zip(rows, medians, strict=True):
        row["median_us"] = statistics.median(values)
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table of docs/measured/models.md."""
    lines = [
        "| model | quantization | raw bytes | download bytes | median latency (µs) | "
        "accuracy: model | file | Δ points [95 % interval] |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        points = [100 * row[key] for key in ("difference", "low", "high")]
        lines.append(
            f"| {row['model']} | {row['mode']} | {row['raw_bytes']:,} | "
            f"{row['download_bytes']:,} | {row['median_us']:.1f} | {row['reference']:.2%} | "
            f"{row['file']:.2%} | {points[0]:+.2f} [{points[1]:+.2f}, {points[2]:+.2f}] |"
        )
    return "\n".join(lines)


@click.command(help=__doc__)
@click.option("--only", help="This model only; page and JSON stay as they are.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
def main(only: str | None, rounds: int) -> None:
    """The command line."""
    entries = json.loads((REPOSITORY / "models" / "manifest.json").read_text())["models"]
    chosen = [entry for entry in entries if only in (None, entry["name"])]
    if not chosen:
        raise click.ClickException(f"{only} is not in models/manifest.json")
    rows = [row for entry in chosen for row in measured(entry, rounds)]
    table = markdown(rows)
    click.echo(table)
    worst = min((row for row in rows if row["mode"] == "int8"), key=lambda row: row["difference"])
    click.echo(
        f"int8 loses at most {-100 * worst['difference']:.2f} points ({worst['model']}); "
        f"machine: {platform.machine()}, {os.cpu_count()} processors"
    )
    if only is None:
        RESULTS.write_text(json.dumps(rows, indent=2) + "\n")
        renew_page("models", "reference", table)


if __name__ == "__main__":
    main()
