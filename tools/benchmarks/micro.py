"""Every reference model in int8 on a microcontroller: arena, flash, answers, object code.

python tools/benchmarks/micro.py     # renews table and JSON

Each model is converted (integer weights, float inputs and outputs), run on TFLM's interpreter
beside LiteRT, exported, and compiled for Cortex-M4 around the stand-ins for TFLM's headers that
the tests use: the sizes of code are those of the generated files alone, without TFLM.
"""

import json
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
from measured_table import renew_page

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.microcontrollers.export.micro_build import ARM, CORTEX_M, compiled, section_sizes
from tflite_squeeze.files.files import write_folder
from tflite_squeeze.microcontrollers.export.config import ExportMicro
from tflite_squeeze.microcontrollers.export.export import export_micro
from tflite_squeeze.microcontrollers.profile import profile_micro

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("micro.json")


def int8_file(path: str, samples: str) -> bytes:
    """The int8 file of a reference model; runs in a child process."""
    from tflite_squeeze.conversion.convert import convert
    from tflite_squeeze.emission.config import Convert

    return convert(path, Convert(quantize="int8"), samples, verification=None).tflite


def measured(entry: dict[str, Any]) -> dict[str, Any]:
    """One row."""
    path = REPOSITORY / "models" / entry["file"]
    samples = REPOSITORY / "models" / "samples" / f"{entry['data_set']}.npz"
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as worker:
        tflite = worker.submit(int8_file, str(path), str(samples)).result()
    record = profile_micro(tflite)
    exported = export_micro(tflite, ExportMicro(name=entry["name"]))
    (output,) = record.outputs
    return {
        "model": entry["name"],
        "file_bytes": len(tflite),
        "header_arena_bytes": exported.record.arena_bytes,
        "smallest_bytes": record.arena.smallest_bytes,
        "head_bytes": record.arena.head_bytes,
        "tail_bytes": record.arena.tail_bytes,
        "operators": sum(item.count for item in record.operators),
        "kinds": len(record.operators),
        "max_abs_difference": output.max_abs_difference,
        "agreement": output.agreement,
        "object": object_sizes(exported.files),
        "tflm": record.tflm,
    }


def object_sizes(files: dict[str, bytes]) -> dict[str, int]:
    """Bytes of the generated code, without the example and the golden vectors."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        write_folder(folder, files, force=False)
        kept = [
            path
            for path in compiled(folder, prefix=ARM, options=CORTEX_M["cortex-m4"])
            if not path.name.startswith("main.") and "golden" not in path.name
        ]
        sums = {"text": 0, "rodata": 0, "data": 0, "bss": 0}
        for path in kept:
            for section, size in section_sizes(path).items():
                kind = section.split(".")[1]
                if kind in sums:
                    sums[kind] += size
        return sums


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table of docs/measured/micro.md."""
    lines = [
        "| model, int8 | file | arena in the header | smallest that works | head | tail | "
        "largest difference to LiteRT | constants in objects | RAM in objects |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        sizes = row["object"]
        lines.append(
            f"| {row['model']} | {row['file_bytes']:,} | {row['header_arena_bytes']:,} | "
            f"{row['smallest_bytes']:,} | {row['head_bytes']:,} | {row['tail_bytes']:,} | "
            f"{row['max_abs_difference']:.3g} | {sizes['rodata']:,} | "
            f"{sizes['bss'] + sizes['data']:,} |"
        )
    return "\n".join(lines)


@click.command(help=__doc__)
def main() -> None:
    """The command line."""
    entries = json.loads((REPOSITORY / "models" / "manifest.json").read_text())["models"]
    rows = [measured(entry) for entry in entries]
    for row in rows:
        shortfall = 1 - row["smallest_bytes"] / row["header_arena_bytes"]
        if not 0 <= shortfall <= 0.05:
            raise click.ClickException(f"{row['model']}: the header's arena is {shortfall:.1%} off")
    table = markdown(rows)
    click.echo(table)
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n")
    renew_page("micro", "micro", table)


if __name__ == "__main__":
    main()
