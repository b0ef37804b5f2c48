"""`tflite-squeeze profile`: latency, size, memory and operators of a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.config_fields import choices_of
from tflite_squeeze.command_line.config_options import config_of, config_options, given
from tflite_squeeze.command_line.option_types import BYTES
from tflite_squeeze.command_line.output import (
    check_outputs,
    force_option,
    html_option,
    json_option,
    progress,
    say,
    show,
    write_json,
    write_page,
)
from tflite_squeeze.errors import UsageError
from tflite_squeeze.files.files import write_atomically

if TYPE_CHECKING:
    from tflite_squeeze.profiling.record import ProfileRecord

_SAVED = ("markdown", "csv", "plot", "html")
_ETHOS_U = "tflite_squeeze.microcontrollers.ethos_u_record:EthosUProfile"


@click.command(
    epilog="Example: tflite-squeeze profile lenet_5.tflite --threads 4 --json - | jq .latency"
)
@click.argument("tflite", metavar="FILE.tflite", type=click.Path(path_type=Path))
@click.option(
    "--runtime",
    type=click.Choice(["litert", "larq", "micro", *choices_of(_ETHOS_U, "accelerator")]),
    default="litert",
    show_default=True,
    help="litert: this machine. larq: the same, in Larq Compute Engine, which is also what files "
    "with its operators run in when no runtime is named. micro: a microcontroller, with TFLM's "
    "interpreter. ethos-u…: an NPU, as its compiler estimates it.",
)
@config_options(
    "tflite_squeeze.microcontrollers.record:MicroProfile", "max_ram_bytes", "max_flash_bytes",
    when="With --runtime micro or ethos-u…",
    max_ram_bytes={"names": ["--max-ram", "max_ram"], "type": BYTES},
    max_flash_bytes={"names": ["--max-flash", "max_flash"], "type": BYTES},
)  # fmt: skip
@config_options(
    "tflite_squeeze.profiling.record:Profile",
    "runs", "min_seconds", "threads", "signature", "indirect_bgemm", "time_limit_s",
    signature={"metavar": "NAME"},
    time_limit_s={"names": ["--time-limit", "time_limit"], "metavar": "SECONDS"},
)  # fmt: skip
@click.option("--markdown", metavar="FILE", type=click.Path(path_type=Path), help="Save tables.")
@click.option("--csv", metavar="FILE", type=click.Path(path_type=Path), help="Save operators.")
@click.option(
    "--plot", metavar="FILE.png", type=click.Path(path_type=Path), help="Draw the operators."
)
@html_option
@click.option(
    "--node-data",
    metavar="FILE.json",
    type=click.Path(path_type=Path),
    help="Save times of operators for Model Explorer, which shows them in its graph of the file.",
)
@json_option
@force_option
@click.pass_context
def profile_command(ctx: click.Context, /, tflite: Path, **options: Any) -> None:
    """Measure latency, memory and size of a .tflite file.

    The file runs in a process of its own, on made-up inputs: a warm-up, then at least --runs runs
    and --min-seconds seconds. Times of operators come from LiteRT's own profiler. Another
    --runtime reports what the file takes there, and whether it can run there at all.
    """
    force = options["force"]
    targets = [options[name] for name in (*_SAVED, "node_data")]
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

    config = config_of(Profile, runtime=options["runtime"] if given("runtime") else None)
    with progress(ctx, f"Profiling {tflite}"):
        record = profile(tflite, config)
    show(ctx, profile_tables(record))
    write_json(options["json_target"], record, force=force)
    _save(ctx, record, options)
    if options["node_data"] is not None:
        _save_node_data(ctx, tflite, record, options)


def _save(ctx: click.Context, record: "ProfileRecord", options: dict[str, Any]) -> None:
    """Writes the requested files other than the JSON."""
    from tflite_squeeze.profiling.page import profile_contents
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
    write_page(options["html"], lambda: profile_contents(record), force=options["force"])
    for target in filter(None, (options[name] for name in _SAVED)):
        say(ctx, f"{target}: written")


def _save_node_data(
    ctx: click.Context, tflite: Path, record: "ProfileRecord", options: dict[str, Any]
) -> None:
    """Writes the times of operators for Model Explorer, and says what they leave out."""
    from tflite_squeeze.files.tflite_file import read_tflite
    from tflite_squeeze.profiling.node_data import node_data

    target = options["node_data"]
    text, notes = node_data(read_tflite(tflite), record)
    write_atomically(target, text.encode(), force=options["force"])
    say(ctx, f"{target}: {'; '.join(('written', *notes))}")
