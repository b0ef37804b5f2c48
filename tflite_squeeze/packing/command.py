"""`tflite-squeeze pack` and `unpack`: the smallest form of a file for sending and storing it."""

from pathlib import Path

import click

from tflite_squeeze.command_line.output import (
    check_outputs,
    force_option,
    json_option,
    progress,
    say,
    show,
    write_json,
)
from tflite_squeeze.errors import CheckFailed
from tflite_squeeze.files.files import check_output, read_file, write_atomically
from tflite_squeeze.files.tflite_file import read_tflite
from tflite_squeeze.packing.readers import check_reader, reader_source


@click.command("pack", epilog="Example: tflite-squeeze pack lenet_5.tflite -o lenet_5.tflite.sqz")
@click.argument("tflite", metavar="FILE.tflite", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE.tflite.sqz",
    type=click.Path(path_type=Path),
    help="The packed file to write.",
)
@click.option(
    "--allow-larger", is_flag=True, help="Write it even if gzip -9 makes the file as small."
)
@click.option(
    "--strip",
    is_flag=True,
    help="First remove names of tensors, description and metadata (labels, preprocessing), which "
    "no runtime needs; the unpacked file is without them, and its answers are the same.",
)
@click.option(
    "--reader",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write a reader, one file without dependencies: reader.py, reader.c or reader.kt.",
)
@json_option
@force_option
@click.pass_context
def pack_command(
    ctx: click.Context,
    tflite: Path,
    output: Path,
    allow_larger: bool,
    strip: bool,
    reader: Path | None,
    json_target: str | None,
    force: bool,
) -> None:
    """Pack a .tflite file for sending and storing it, smaller than gzip or xz can.

    Any .tflite file can be packed; unpacked, it is bit for bit the same, unless --strip removed
    something. A file that gains
    nothing over gzip -9 is refused, with both sizes.
    """
    check_outputs([output, reader], json_target, force=force, inputs=[tflite])
    check_reader(reader)
    content = read_tflite(tflite)
    with progress(ctx, f"packing {tflite}"):
        from tflite_squeeze.packing.pack import pack
        from tflite_squeeze.packing.record import pack_record
        from tflite_squeeze.packing.stripping import stripped
        from tflite_squeeze.packing.tables import pack_tables

        if strip:
            content = stripped(content)
        packed = pack(content)
        record = pack_record(content, packed, allow_larger=allow_larger, stripped=strip)
    write_json(json_target, record, force=force)
    show(ctx, pack_tables(record, tflite.name))
    if record.refusal:
        raise CheckFailed(f"{output} was not written: {record.refusal}")
    write_atomically(output, packed, force=force)
    if reader is not None:
        write_atomically(reader, reader_source(reader.suffix), force=force)


@click.command(
    "unpack", epilog="Example: tflite-squeeze unpack lenet_5.tflite.sqz -o lenet_5.tflite"
)
@click.argument("packed", metavar="FILE.tflite.sqz", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE.tflite",
    type=click.Path(path_type=Path),
    help="The .tflite file to write.",
)
@force_option
@click.pass_context
def unpack_command(ctx: click.Context, packed: Path, output: Path, force: bool) -> None:
    """Unpack a .tflite.sqz file: bit for bit the file that was packed, checked by its SHA-256."""
    check_output(output, force=force, inputs=[packed])
    content = read_file(packed, "file")
    with progress(ctx, f"unpacking {packed}"):
        from tflite_squeeze.packing.pack import unpack

        tflite = unpack(content)
    write_atomically(output, tflite, force=force)
    say(ctx, f"{output}: {len(tflite):,} bytes, from {len(content):,}; SHA-256 checked")
