"""`tflite-squeeze import`: a model of another framework in, a Keras model of it out."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.model_options import read_input_shapes, torch_options
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
from tflite_squeeze.network.save import check_model_output, save_model


@click.command("import", epilog="Example: tflite-squeeze import model.onnx -o model.keras")
@click.argument("source", metavar="MODEL", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The model to write."
)
@click.option(
    "--input-shape",
    multiple=True,
    metavar="NAME=1,N,...",
    help="Full shape of an input that the file leaves open, as the file has it; may be repeated.",
)
@torch_options("--weights")
@config_options("tflite_squeeze.importing.config:Import", "tolerance", "allow_unsafe")
@force_option
@json_option
@click.pass_context
def import_command(ctx: click.Context, /, source: Path, output: Path, **options: Any) -> None:
    """Rebuild a PyTorch, ONNX or float .tflite model of trainable Keras layers.

    MODEL is an .onnx, .pt2 or .tflite file, or model.py:build, a function that builds a PyTorch
    network, which is run. Every other command that takes a Keras model takes the first two and the
    last as well. Here the Keras model is kept, and its layers, shapes and largest difference are
    shown. Exits 2 where an operator has no layer, 1 where the two models differ.
    """
    check_model_output(output, force=options["force"], inputs=[source])
    check_json(options["json_target"], force=options["force"], inputs=[source, output])
    from tflite_squeeze.importing.config import Import

    config = config_of(Import, input_shapes=read_input_shapes(options["input_shape"]))
    with progress(ctx, f"importing {source}"), caught_chatter():
        from tflite_squeeze.importing.import_model import import_model

        model, record = import_model(source, config)
    save_model(model, output, force=options["force"])
    show(ctx, record.tables())
    write_json(options["json_target"], record, force=options["force"])
    say(
        ctx,
        f"{output}: {record.parameters:,} parameters; largest difference to {source.name} "
        f"{record.largest_difference:.1e}",
    )
