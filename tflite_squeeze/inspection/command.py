"""`tflite-squeeze inspect`: what is inside a model or a file, and what could be better."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tflite_squeeze.command_line.model_options import import_modules, torch_options
from tflite_squeeze.command_line.output import (
    check_outputs,
    force_option,
    json_option,
    progress,
    show,
    write_json,
)
from tflite_squeeze.emission.chatter import caught_chatter
from tflite_squeeze.errors import UsageError
from tflite_squeeze.files.files import write_atomically

if TYPE_CHECKING:
    from tflite_squeeze.inspection.record import InspectRecord


@click.command(
    "inspect",
    epilog="Example: tflite-squeeze inspect model.tflite --markdown model.md",
)
@click.argument("source", metavar="MODEL|FILE.tflite", type=click.Path(path_type=Path))
@json_option
@click.option(
    "--markdown",
    "markdown_target",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write the tables as Markdown.",
)
@click.option(
    "--plan",
    "plan_target",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write the quantization plan as YAML: of a .tflite file the one that it has, of a "
    "Keras model the one for 8 bits, to edit and give to convert.",
)
@force_option
@click.option(
    "--verbose",
    type=click.Choice(["weights"]),
    help="What to list in more detail: weights, one line for each tensor, and the whole plan.",
)
@click.option(
    "--measure/--no-measure",
    default=True,
    show_default=True,
    help="Run a .tflite file for a second, to see which operators XNNPACK leaves out.",
)
@torch_options()
@click.option(
    "--allow-unsafe", is_flag=True, help="Allow Lambda layers to run Python code from the file."
)
@click.option(
    "--import",
    "modules",
    multiple=True,
    metavar="MODULE",
    help="Module to import first, which registers custom layers; may be repeated.",
)
@click.pass_context
def inspect_command(
    ctx: click.Context,
    source: Path,
    json_target: str | None,
    markdown_target: Path | None,
    plan_target: Path | None,
    force: bool,
    verbose: str | None,
    measure: bool,
    state_dict: str | None,
    network_inputs: tuple[str, ...],
    allow_unsafe: bool,
    modules: tuple[str, ...],
) -> None:
    """Show the layers of a Keras model or the operators of a .tflite file, with their cost.

    The table lists shapes, parameters, multiply-accumulates (MACs), bytes, and the kernel's
    zeros and distinct values; advice follows, with the cost of each problem.
    """
    targets = (markdown_target, plan_target)
    check_outputs(targets, json_target, force=force, inputs=[source])
    # TensorFlow greets whoever imports it, on both streams.
    with progress(ctx, f"inspecting {source}"), caught_chatter():
        from tflite_squeeze.inspection.inspect import inspect
        from tflite_squeeze.inspection.tables import inspect_tables
        from tflite_squeeze.network.loading import load_model
        from tflite_squeeze.tables.markdown import to_markdown

        import_modules(modules)
        wanted = plan_target is not None
        loaded = load_model(
            source, allow_unsafe=allow_unsafe, weights=state_dict, inputs=network_inputs
        )
        record = inspect(loaded, measure=measure, plan=wanted)
        tables = inspect_tables(record, weights=verbose == "weights")
        plan = None if plan_target is None else _plan_text(record)
    write_json(json_target, record, force=force)
    if markdown_target is not None:
        write_atomically(markdown_target, to_markdown(tables).encode(), force=force)
    if plan_target is not None and plan is not None:
        write_atomically(plan_target, plan.encode(), force=force)
    show(ctx, tables)


def _plan_text(record: "InspectRecord") -> str:
    from tflite_squeeze.network.quantization.plan_files import written_plan

    if record.plan is None:
        raise UsageError(f"--plan: {record.no_plan}")
    return written_plan(record.plan)
