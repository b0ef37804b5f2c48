"""`tflite-squeeze profile`: how fast, how large, how much memory, and which operators."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.cli.output import (
    check_json,
    force_option,
    json_option,
    progress,
    show,
    write_json,
)


@click.command(
    epilog="Example: tflite-squeeze profile lenet_5.tflite --threads 4 --json - | jq .latency"
)
@click.argument("tflite", metavar="FILE.tflite", type=click.Path(path_type=Path))
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Timed runs, at least.",
)
@click.option(
    "--min-seconds",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Seconds of timed runs, at least.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads for the kernels.",
)
@click.option("--signature", metavar="NAME", help="The signature to run; the first by default.")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Give up a measurement after so long.",
)
@click.option("--markdown", metavar="FILE", type=click.Path(path_type=Path), help="Save tables.")
@click.option("--csv", metavar="FILE", type=click.Path(path_type=Path), help="Save operators.")
@click.option(
    "--plot", metavar="FILE.png", type=click.Path(path_type=Path), help="Draw the operators."
)
@json_option
@force_option
@click.pass_context
def profile_command(ctx: click.Context, /, tflite: Path, **options: Any) -> None:
    """Measure latency, memory and size of a .tflite file.

    The file runs in a process of its own, on made-up inputs: a warm-up, then at least --runs runs
    and --min-seconds seconds. Times of operators come from LiteRT's own profiler.
    """
    force = options["force"]
    check_json(options["json_target"], force=force, inputs=[tflite])
    from tflite_squeeze.measure.profile import profile
    from tflite_squeeze.measure.profile_record import Profile
    from tflite_squeeze.report.profile_tables import profile_tables

    config = Profile(
        runs=options["runs"],
        min_seconds=options["min_seconds"],
        threads=options["threads"],
        signature=options["signature"],
        time_limit_s=options["time_limit"],
    )
    with progress(ctx, f"Profiling {tflite}"):
        record = profile(tflite, config)
    show(ctx, profile_tables(record))
    write_json(options["json_target"], record, force=force)
