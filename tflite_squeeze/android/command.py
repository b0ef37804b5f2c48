"""`tflite-squeeze export android`: a file, ready to be copied into an application."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.data_options import data_options, open_data, stated_preprocessing
from tflite_squeeze.command_line.output import (
    check_json,
    force_option,
    json_option,
    progress,
    say,
    show,
    write_json,
)
from tflite_squeeze.emission.chatter import caught_chatter
from tflite_squeeze.errors import InputError
from tflite_squeeze.files.files import check_folder, read_file
from tflite_squeeze.files.tflite_file import read_tflite

if TYPE_CHECKING:
    from tflite_squeeze.android.config import ExportAndroid
    from tflite_squeeze.android.export import AndroidExport
    from tflite_squeeze.data.preprocessing import Preprocessing


@click.command(
    epilog="Example: tflite-squeeze export android lenet_5.tflite -o lenet_5_android "
    "--labels labels.txt --package com.example.clothes --name lenet_5"
)
@click.argument("tflite", metavar="FILE.tflite", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The folder to write.",
)
@click.option(
    "--labels",
    metavar="FILE.txt",
    type=click.Path(path_type=Path),
    help="Class names, one on each line.  [default: those that the file carries]",
)
@config_options(
    "tflite_squeeze.android.config:ExportAndroid", "package", "name", "content", "packed",
    package={"metavar": "NAME"}, name={"metavar": "NAME"},
)  # fmt: skip
@data_options
@json_option
@force_option
@click.pass_context
def android_command(
    ctx: click.Context, /, tflite: Path, folder: Path, labels: Path | None, **options: Any
) -> None:
    """Write what an Android application needs to run a .tflite file.

    The model and its labels as assets, with TFLite metadata inside; a Kotlin class that maps and
    runs it with LiteRT; a Gradle fragment; golden vectors and the test that replays them on a
    device; a README and SHA-256 hashes. With --data the golden vectors are real samples.
    --scale, --mean and --std describe the preprocessing of raw values, where neither the file
    nor the data records it.
    """
    force = options["force"]
    inputs = [tflite, *([labels] if labels is not None else [])]
    check_json(options["json_target"], force=force, inputs=inputs)
    check_folder(folder, (), force=force)
    with progress(ctx, f"Exporting {tflite}"):
        exported = _exported(tflite, labels, options)
        check_folder(folder, exported.files, force=force, inputs=inputs)
    exported.save(folder, force=force)
    from tflite_squeeze.android.tables import android_tables

    show(ctx, android_tables(exported.record))
    write_json(options["json_target"], exported.record, force=force)
    say(ctx, f"{folder}: copy it into the application as its README.md says")


def _exported(tflite: Path, labels: Path | None, options: dict[str, Any]) -> "AndroidExport":
    """The export, on real samples where there are some."""
    from tflite_squeeze.android.export import export_android

    content = read_tflite(tflite)
    named = () if labels is None else _read_labels(labels)
    if options["data"] is None and not any(options[key] for key in _ABOUT_DATA):
        return export_android(content, _config(named, stated_preprocessing()))
    # TensorFlow greets whoever imports it.
    with caught_chatter():
        data = open_data(options)
        if data is None:
            return export_android(content, _config(named, None))
        from tflite_squeeze.android.golden_samples import golden_samples

        samples = golden_samples(content, data)
    stated = data.preprocessing if data.preprocessing.changes_values else None
    return export_android(content, _config(named, stated), samples)


def _config(labels: tuple[str, ...], stated: "Preprocessing | None") -> "ExportAndroid":
    from tflite_squeeze.android.config import ExportAndroid

    return config_of(ExportAndroid, labels=labels, preprocessing=stated)


_ABOUT_DATA = ("features", "image_size", "color", "add_channel")  # of no use without --data


def _read_labels(path: Path) -> tuple[str, ...]:
    """The lines of a text file, without an empty last one."""
    try:
        lines = read_file(path, "labels").decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(
            f"labels {path} are not UTF-8 text ({error}): save them as UTF-8"
        ) from error
    while lines and not lines[-1].strip():
        lines.pop()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise InputError(f"labels {path}: line {number} is empty: name every class")
    if not lines:
        raise InputError(f"labels {path} is empty: write one class name on each line")
    return tuple(line.strip() for line in lines)
