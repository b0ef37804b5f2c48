"""`tflite-squeeze doctor`: what is installed and whether it works, and what can be installed."""

import sys
from typing import Any

import click

from tflite_squeeze.command_line.output import (
    check_json,
    force_option,
    json_option,
    progress,
    say,
    show,
    write_json,
)
from tflite_squeeze.errors import CheckFailed, UsageError


@click.command(epilog="Example: tflite-squeeze doctor --json -")
@click.option(
    "--install",
    type=click.Choice(["torch", "litert-torch", "executorch"]),
    help="Make an environment of its own with the CPU build of PyTorch, which .pt2 files and "
    "model.py:build need; with litert-torch, also what writes networks without Keras layers as "
    ".tflite files; with executorch, also what compare runs .pte files in.",
)
@click.option("--yes", is_flag=True, help="With --install, do not ask before the download.")
@force_option
@json_option
@click.pass_context
def doctor_command(ctx: click.Context, /, **options: Any) -> None:
    """Print versions and which optional parts work.

    Each part is tried in a process of its own. Exits 1 when a part fails that is not optional.
    """
    check_json(options["json_target"], force=options["force"])
    if options["install"]:
        _install(ctx, options["install"], yes=options["yes"], force=options["force"])
        return
    from tflite_squeeze.doctor.doctor import examine
    from tflite_squeeze.doctor.tables import doctor_tables

    with progress(ctx, "Trying every part"):
        record = examine()
    show(ctx, doctor_tables(record))
    write_json(options["json_target"], record, force=options["force"])
    if not record.healthy:
        broken = [part for part in record.parts if not part.optional and part.status != "works"]
        names = ", ".join(f"{part.name}: {part.hint}" for part in broken)
        raise CheckFailed(f"the installation does not work ({names})")


def _install(ctx: click.Context, what: str, *, yes: bool, force: bool) -> None:
    from tflite_squeeze.doctor.installing import INSTALLABLE, install, installed
    from tflite_squeeze.foreign.torch.environments import own_folder

    there = None if force else installed(what)
    if there is not None:
        say(ctx, f"torch {there.version} is in {own_folder()} already: --force makes it anew")
        return
    about = INSTALLABLE[what]
    size = (
        f"{what} needs about {about.download_mb:,} MB of downloads, and {about.disk_mb:,} MB in "
        f"{own_folder()}"
    )
    if not yes and not sys.stdin.isatty():
        raise UsageError(f"{size}: pass --yes to install it")
    click.echo(size, err=True)
    if not yes:
        click.confirm("Install it?", abort=True, err=True)
    made = install(what, anew=force)
    say(ctx, f"torch {made.version} is ready in {own_folder()}")
