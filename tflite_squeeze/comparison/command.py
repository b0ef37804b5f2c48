"""`tflite-squeeze compare`: any number of files side by side, and limits for use in CI."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.config_fields import choices_of
from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.data_options import data_options, open_data
from tflite_squeeze.command_line.option_types import N_OR_ALL
from tflite_squeeze.command_line.output import (
    check_outputs,
    force_option,
    html_option,
    json_option,
    progress,
    show,
    write_json,
    write_page,
)
from tflite_squeeze.emission.chatter import caught_chatter
from tflite_squeeze.errors import CheckFailed
from tflite_squeeze.files.files import write_atomically

COMPARE = "tflite_squeeze.comparison.record:Compare"
NPUS = choices_of("tflite_squeeze.microcontrollers.ethos_u_record:EthosUProfile", "accelerator")


@click.command(
    "compare",
    epilog="Example: tflite-squeeze compare float.tflite int8.tflite --data fashion-mnist "
    "--fail-if 'accuracy_drop > 0.005 or latency_ratio > 1.0'",
)
@click.argument(
    "files", metavar="A.tflite B.tflite|B.onnx|B.pte...", nargs=-1, required=True,
    type=click.Path(path_type=Path),
)  # fmt: skip
@config_options(
    COMPARE, "runtimes", "fail_if",
    runtimes={"type": click.Choice(["litert", "larq", "micro", *NPUS]), "metavar": None},
    fail_if={"metavar": "CONDITION"},
)  # fmt: skip
@data_options
@config_options(COMPARE, "samples", "threads", "turns", samples={**N_OR_ALL, "default": "all"})
@click.option("--markdown", metavar="FILE", type=click.Path(path_type=Path), help="Save tables.")
@click.option("--csv", metavar="FILE", type=click.Path(path_type=Path), help="Save the figures.")
@html_option
@json_option
@force_option
@click.pass_context
def compare_command(ctx: click.Context, /, files: tuple[Path, ...], **options: Any) -> None:
    """Compare any number of .tflite files, and .onnx and .pte files beside them.

    One table: bytes, download, arena, latency in turns with its ratio and interval and, with
    labelled data, accuracy with a paired test and the classes that lose accuracy.
    """
    force = options["force"]
    targets = [options[name] for name in ("markdown", "csv", "html")]
    check_outputs(targets, options["json_target"], force=force, inputs=files)
    # TensorFlow, which reads data, greets whoever imports it, on both streams.
    with progress(ctx, f"Comparing {len(files)} files"), caught_chatter():
        from tflite_squeeze.comparison.compare import compare
        from tflite_squeeze.comparison.limits import conditions_of
        from tflite_squeeze.comparison.page import compare_contents
        from tflite_squeeze.comparison.record import Compare
        from tflite_squeeze.comparison.tables import compare_tables, figures_table
        from tflite_squeeze.tables.markdown import to_csv, to_markdown

        config = config_of(Compare, runtimes=tuple(dict.fromkeys(options["runtimes"])))
        conditions_of(config.fail_if)  # before data are read, which takes a while
        record = compare(files, open_data(options), config)
    tables = compare_tables(record)
    show(ctx, tables)
    write_json(options["json_target"], record, force=force)
    if options["markdown"] is not None:
        write_atomically(options["markdown"], to_markdown(tables).encode(), force=force)
    if options["csv"] is not None:
        write_atomically(options["csv"], to_csv([figures_table(record)]).encode(), force=force)
    write_page(options["html"], lambda: compare_contents(record), force=force)
    if not record.passed:
        failed = [f"{one.file}: {line}" for one in record.files for line in one.failed]
        raise CheckFailed(f"{'; '.join(failed)}: improve the file, or loosen --fail-if")
