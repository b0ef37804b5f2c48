"""`tflite-squeeze export micro`: a .tflite file as C and C++ for microcontrollers."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.option_types import BYTES, WordOr
from tflite_squeeze.command_line.output import (
    check_json,
    force_option,
    json_option,
    progress,
    say,
    show,
    write_json,
)
from tflite_squeeze.files.files import check_folder, write_folder


@click.command(
    "micro", epilog="Example: tflite-squeeze export micro lenet_5.tflite -o firmware/lenet_5"
)
@click.argument("tflite", metavar="FILE.tflite", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where the files go; made if it does not exist.",
)
@config_options(
    "tflite_squeeze.microcontrollers.export.config:ExportMicro", "name", "arena_bytes", "arduino",
    arena_bytes={"names": ["--arena", "arena"], "type": WordOr({"auto": None}, BYTES),
                 "default": "auto"},
)  # fmt: skip
@json_option
@force_option
@click.pass_context
def micro_command(ctx: click.Context, /, tflite: Path, folder: Path, **options: Any) -> None:
    """Write a .tflite file as C and C++ for TensorFlow Lite for Microcontrollers (TFLM).

    The model as an aligned array, a resolver of exactly the operators that it uses, the arena's
    size, shapes, scales and zero points, a function to run it, golden vectors with a self-test
    and an example. What TFLM cannot run is refused, with the operator and what to do.
    """
    from tflite_squeeze.microcontrollers.export.config import ExportMicro

    config = config_of(ExportMicro)
    check_json(options["json_target"], force=options["force"], inputs=[tflite])
    check_folder(folder, (), force=options["force"], inputs=[tflite])
    from tflite_squeeze.microcontrollers.export.export import export_micro
    from tflite_squeeze.microcontrollers.export.tables import micro_export_tables

    with progress(ctx, f"Exporting {tflite}"):
        exported = export_micro(tflite, config)
    check_folder(folder, exported.files, force=options["force"], inputs=[tflite])
    write_folder(folder, exported.files, force=options["force"])
    show(ctx, micro_export_tables(exported.record))
    write_json(options["json_target"], exported.record, force=options["force"])
    say(ctx, f"{folder}: {len(exported.files)} files written; begin with README.md")
