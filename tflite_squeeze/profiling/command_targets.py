"""`tflite-squeeze profile --runtime`: microcontrollers and NPUs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.config_options import config_of, given
from tflite_squeeze.command_line.output import progress, say, show, write_json, write_page
from tflite_squeeze.errors import CheckFailed, UsageError
from tflite_squeeze.files.files import write_atomically

if TYPE_CHECKING:
    from tflite_squeeze.microcontrollers.ethos_u_record import EthosURecord
    from tflite_squeeze.microcontrollers.record import MicroRecord
    from tflite_squeeze.tables.table import Table

# What says how to time a file on this machine.
_LITERT_ONLY = ("runs", "min_seconds", "threads", "signature", "plot", "node_data")


def profile_target(ctx: click.Context, tflite: Path, options: dict[str, Any]) -> None:
    """Profiles a file for a target, shows the tables and saves the requested files.

    Raises:
        UsageError: an option belongs to LiteRT alone.
        CheckFailed: the file exceeds a budget.
    """
    runtime = options["runtime"]
    for name in _LITERT_ONLY:
        if given(name):
            raise UsageError(
                f"--{name.replace('_', '-')} belongs to timing on this machine, which --runtime "
                f"{runtime} does not do: leave it out"
            )
    with progress(ctx, f"Profiling {tflite} for {runtime}"):
        record, tables, operators = _measured(tflite, options)
    show(ctx, tables)
    write_json(options["json_target"], record, force=options["force"])
    from tflite_squeeze.profiling.page import target_contents

    write_page(
        options["html"],
        lambda: target_contents(str(tflite), runtime, tables, record.over_budget),
        force=options["force"],
    )
    _save(ctx, tables, operators, options)
    if not record.passed:
        raise CheckFailed(
            f"{tflite} is over budget: {'; '.join(record.over_budget)}: make the model smaller, "
            f"or raise the budget"
        )


def _measured(
    tflite: Path, options: dict[str, Any]
) -> "tuple[MicroRecord | EthosURecord, list[Table], Table]":
    """The record, its tables, and the one of operators."""
    limits = {
        "max_ram_bytes": options["max_ram"],
        "max_flash_bytes": options["max_flash"],
        "time_limit_s": options["time_limit"],
    }
    if options["runtime"] == "micro":
        from tflite_squeeze.microcontrollers.profile import profile_micro
        from tflite_squeeze.microcontrollers.record import MicroProfile
        from tflite_squeeze.microcontrollers.tables import micro_operator_table, micro_tables

        micro = profile_micro(tflite, config_of(MicroProfile, **limits))
        return micro, micro_tables(micro), micro_operator_table(micro)
    from tflite_squeeze.microcontrollers.ethos_u import profile_ethos_u
    from tflite_squeeze.microcontrollers.ethos_u_record import EthosUProfile
    from tflite_squeeze.microcontrollers.ethos_u_tables import cpu_operator_table, ethos_u_tables

    npu = profile_ethos_u(
        tflite, config_of(EthosUProfile, accelerator=options["runtime"], **limits)
    )
    return npu, ethos_u_tables(npu), cpu_operator_table(npu)


def _save(
    ctx: click.Context, tables: "list[Table]", operators: "Table", options: dict[str, Any]
) -> None:
    """Writes the requested files other than the JSON."""
    from tflite_squeeze.tables.markdown import to_csv, to_markdown

    if options["markdown"] is not None:
        text = to_markdown(tables)
        write_atomically(options["markdown"], text.encode(), force=options["force"])
    if options["csv"] is not None:
        write_atomically(options["csv"], to_csv([operators]).encode(), force=options["force"])
    for name in ("markdown", "csv", "html"):
        if options[name] is not None:
            say(ctx, f"{options[name]}: written")
