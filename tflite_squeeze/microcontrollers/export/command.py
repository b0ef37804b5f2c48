"""`tflite-squeeze export micro`: a .tflite file as C and C++ for microcontrollers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.model_options import ByteSize
from tflite_squeeze.command_line.output import (
    check_json,
    force_option,
    json_option,
    progress,
    say,
    show,
    write_json,
)
from tflite_squeeze.errors import UsageError
from tflite_squeeze.files.files import check_folder, write_folder
from tflite_squeeze.microcontrollers.export.names import is_c_name

if TYPE_CHECKING:
    from tflite_squeeze.microcontrollers.export.config import ExportMicro


class _Arena(ByteSize):
    """A size, or `auto`, which is None."""

    name = "auto|SIZE"

    def convert(self, value: object, param: Any, ctx: click.Context | None) -> Any:
        return None if value == "auto" else super().convert(value, param, ctx)


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
@click.option(
    "--name", default="model", show_default=True, help="Begins the names of files and functions."
)
@click.option(
    "--arena",
    type=_Arena(),
    default="auto",
    show_default=True,
    help="RAM to declare, such as 64K; auto measures the smallest that works and adds 2 %.",
)
@click.option("--arduino", is_flag=True, help="Write a sketch for Arduino's tools.")
@json_option
@force_option
@click.pass_context
def micro_command(ctx: click.Context, /, tflite: Path, folder: Path, **options: Any) -> None:
    """Write a .tflite file as C and C++ for TensorFlow Lite for Microcontrollers (TFLM).

    The model as an aligned array, a resolver of exactly the operators that it uses, the arena's
    size, shapes, scales and zero points, a function to run it, golden vectors with a self-test
    and an example. What TFLM cannot run is refused, with the operator and what to do.
    """
    config = _config(options)
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


def _config(options: dict[str, Any]) -> "ExportMicro":
    """What was asked for.

    Raises:
        UsageError: the name or the arena cannot be used.
    """
    from tflite_squeeze.microcontrollers.export.config import ExportMicro

    name, arena = options["name"], options["arena"]
    if not is_c_name(name):
        raise UsageError(
            f"--name {name!r} cannot name a function in C: write letters, digits and _, a letter "
            f"first, and no word that C or its headers use"
        )
    if arena is not None and arena < 16:
        raise UsageError(f"--arena {arena} is less than any model takes: give more, or auto")
    return ExportMicro(name=name, arena_bytes=arena, arduino=options["arduino"])
