"""`tflite-squeeze compare`: any number of files side by side, and limits for use in CI."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.data_options import data_options
from tflite_squeeze.command_line.model_options import open_data, read_samples
from tflite_squeeze.command_line.output import (
    check_outputs,
    force_option,
    json_option,
    progress,
    show,
    write_json,
)
from tflite_squeeze.comparison.record import LARQ, LITERT, MICRO
from tflite_squeeze.emission.chatter import caught_chatter
from tflite_squeeze.errors import CheckFailed
from tflite_squeeze.files.files import write_atomically
from tflite_squeeze.microcontrollers.ethos_u_record import ETHOS_U


@click.command(
    "compare",
    epilog="Example: tflite-squeeze compare float.tflite int8.tflite --data fashion-mnist "
    "--fail-if 'accuracy_drop > 0.005 or latency_ratio > 1.0'",
)
@click.argument(
    "files", metavar="A.tflite B.tflite...", nargs=-1, required=True,
    type=click.Path(path_type=Path),
)  # fmt: skip
@click.option(
    "--runtime",
    "runtimes",
    type=click.Choice([LITERT, LARQ, MICRO, *ETHOS_U]),
    multiple=True,
    default=[LITERT],
    show_default=True,
    help="What runs them: this machine (LiteRT, or Larq Compute Engine), a microcontroller (TFLM), "
    "an NPU (as its compiler estimates it); may be repeated.",
)
@click.option(
    "--fail-if",
    multiple=True,
    metavar="CONDITION",
    help="Exit with 1 where this holds for a file after the first: comparisons of raw_ratio, "
    "download_ratio, arena_ratio, latency_ratio, accuracy_drop, worst_class_drop and more with "
    "numbers, joined by and, or, not; may be repeated.",
)
@data_options
@click.option(
    "--samples", default="all", show_default=True, metavar="N|all", help="Labelled samples to run."
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--turns",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How often each file has its turn at being timed.",
)
@click.option("--markdown", metavar="FILE", type=click.Path(path_type=Path), help="Save tables.")
@click.option("--csv", metavar="FILE", type=click.Path(path_type=Path), help="Save the figures.")
@json_option
@force_option
@click.pass_context
def compare_command(ctx: click.Context, /, files: tuple[Path, ...], **options: Any) -> None:
    """Compare any number of .tflite files with the first of them.

    One table: bytes, download, arena, latency in turns with its ratio and interval and, with
    labelled data, accuracy with a paired test and the classes that lose.
    """
    force = options["force"]
    targets = [options["markdown"], options["csv"]]
    check_outputs(targets, options["json_target"], force=force, inputs=files)
    # TensorFlow, which reads data, greets whoever imports it, on both streams.
    with progress(ctx, f"Comparing {len(files)} files"), caught_chatter():
        from tflite_squeeze.comparison.compare import compare
        from tflite_squeeze.comparison.limits import conditions_of
        from tflite_squeeze.comparison.record import Compare
        from tflite_squeeze.comparison.tables import compare_tables, figures_table
        from tflite_squeeze.tables.markdown import to_csv, to_markdown

        config = Compare(
            runtimes=tuple(dict.fromkeys(options["runtimes"])),
            fail_if=options["fail_if"],
            samples=read_samples(options["samples"]),
            threads=options["threads"],
            turns=options["turns"],
        )
        conditions_of(config.fail_if)  # before data are read, which takes a while
        record = compare(files, open_data(options), config)
    tables = compare_tables(record)
    show(ctx, tables)
    write_json(options["json_target"], record, force=force)
    if options["markdown"] is not None:
        write_atomically(options["markdown"], to_markdown(tables).encode(), force=force)
    if options["csv"] is not None:
        write_atomically(options["csv"], to_csv([figures_table(record)]).encode(), force=force)
    if not record.passed:
        failed = [f"{one.file}: {line}" for one in record.files for line in one.failed]
        raise CheckFailed(f"{'; '.join(failed)}: improve the file, or loosen --fail-if")
