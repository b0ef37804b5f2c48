"""`tflite-squeeze profile`: how fast, how large, how much memory, and which operators."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tflite_squeeze.command_line.model_options import ByteSize
from tflite_squeeze.command_line.output import (
    check_outputs,
    force_option,
    json_option,
    progress,
    say,
    show,
    write_json,
)
from tflite_squeeze.errors import UsageError
from tflite_squeeze.files.files import write_atomically
from tflite_squeeze.microcontrollers.ethos_u_record import ETHOS_U

if TYPE_CHECKING:
    from tflite_squeeze.profiling.record import ProfileRecord


def _finite(_ctx: click.Context, parameter: click.Parameter, value: float) -> float:
    """Refuses nan and infinity, which pass click's own limits."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number of seconds.", param=parameter)
    return value


@click.command(
    epilog="Example: tflite-squeeze profile lenet_5.tflite --threads 4 --json - | jq .latency"
)
@click.argument("tflite", metavar="FILE.tflite", type=click.Path(path_type=Path))
@click.option(
    "--runtime",
    type=click.Choice(["litert", "larq", "micro", *ETHOS_U]),
    default="litert",
    show_default=True,
    help="litert: this machine. larq: the same, in Larq Compute Engine, which is also what files "
    "with its operators run in when no runtime is named. micro: a microcontroller, with TFLM's "
    "interpreter. ethos-u…: an NPU, as its compiler estimates it.",
)
@click.option(
    "--max-ram",
    type=ByteSize(),
    help="Exit with 1 beyond so much RAM, such as 256K (micro, ethos-u…).",
)
@click.option(
    "--max-flash",
    type=ByteSize(),
    help="Exit with 1 beyond so much flash, such as 1M (micro, ethos-u…).",
)
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
    callback=_finite,
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
    "--indirect-bgemm/--no-indirect-bgemm",
    default=True,
    show_default=True,
    help="Kernels of Larq's binary convolutions.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    callback=_finite,
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
    and --min-seconds seconds. Times of operators come from LiteRT's own profiler. With another
    --runtime, what the file takes there, and whether it can run there at all.
    """
    force = options["force"]
    targets = [options[name] for name in ("markdown", "csv", "plot")]
    check_outputs(targets, options["json_target"], force=force, inputs=[tflite])
    if options["runtime"] not in ("litert", "larq"):
        from tflite_squeeze.profiling.command_targets import profile_target

        profile_target(ctx, tflite, options)
        return
    if options["max_ram"] is not None or options["max_flash"] is not None:
        raise UsageError(
            "--max-ram and --max-flash are budgets of a microcontroller: add --runtime micro, or "
            "an NPU's name"
        )
    from tflite_squeeze.profiling.profile import profile
    from tflite_squeeze.profiling.record import Profile
    from tflite_squeeze.profiling.tables import profile_tables

    config = Profile(
        runs=options["runs"],
        min_seconds=options["min_seconds"],
        threads=options["threads"],
        signature=options["signature"],
        time_limit_s=options["time_limit"],
        runtime=options["runtime"] if _given(ctx, "runtime") else "auto",
        indirect_bgemm=options["indirect_bgemm"],
    )
    with progress(ctx, f"Profiling {tflite}"):
        record = profile(tflite, config)
    show(ctx, profile_tables(record))
    write_json(options["json_target"], record, force=force)
    _save(ctx, record, options)


def _given(ctx: click.Context, name: str) -> bool:
    """Whether the user named an option."""
    return ctx.get_parameter_source(name) is not ParameterSource.DEFAULT


def _save(ctx: click.Context, record: "ProfileRecord", options: dict[str, Any]) -> None:
    """Writes the files that were asked for beside the JSON."""
    from tflite_squeeze.profiling.tables import operator_table, profile_tables
    from tflite_squeeze.tables.markdown import to_csv, to_markdown

    if options["markdown"] is not None:
        text = to_markdown(profile_tables(record))
        write_atomically(options["markdown"], text.encode(), force=options["force"])
    if options["csv"] is not None:
        text = to_csv([operator_table(record.operators)])
        write_atomically(options["csv"], text.encode(), force=options["force"])
    if options["plot"] is not None:
        from tflite_squeeze.profiling.plots import operator_plot

        write_atomically(options["plot"], operator_plot(record), force=options["force"])
    for target in filter(None, (options["markdown"], options["csv"], options["plot"])):
        say(ctx, f"{target}: written")
