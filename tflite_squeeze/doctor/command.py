"""`tflite-squeeze doctor`: what is installed and whether it works."""

from typing import Any

import click

from tflite_squeeze.command_line.output import (
    check_json,
    force_option,
    json_option,
    progress,
    show,
    write_json,
)
from tflite_squeeze.errors import CheckFailed


@click.command(epilog="Example: tflite-squeeze doctor --json -")
@force_option
@json_option
@click.pass_context
def doctor_command(ctx: click.Context, /, **options: Any) -> None:
    """Print versions and which optional parts work.

    Each part is tried in a process of its own. Exits 1 when a part fails that is not optional.
    """
    check_json(options["json_target"], force=options["force"])
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
