"""`tflite-squeeze export onnx`: a model as a checked ONNX file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.data_options import data_options, open_data
from tflite_squeeze.command_line.model_options import model_options, open_model, read_input_shapes
from tflite_squeeze.command_line.output import (
    check_json,
    force_option,
    json_option,
    progress,
    say,
    show,
    write_json,
)
from tflite_squeeze.command_line.plan_options import open_plan, plan_option
from tflite_squeeze.errors import UsageError
from tflite_squeeze.files.files import check_output

if TYPE_CHECKING:
    from tflite_squeeze.exporting.export_onnx import OnnxExport

CONVERT = "tflite_squeeze.emission.config:Convert"
_SUFFIX = ".onnx"


@click.command(
    epilog="Example: tflite-squeeze export onnx models/lenet_5.keras -o lenet_5.onnx "
    "--quantize int8 --data models/samples/fashion-mnist.npz"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The .onnx to write."
)
@config_options(
    CONVERT, "quantize", "calibrate", "keep_float",
    quantize={"type": click.Choice(["none", "int8", "mixed"]), "metavar": None},
)  # fmt: skip
@plan_option(CONVERT)
@data_options
@config_options(CONVERT, "per_channel_dense", "calibration_samples")
@config_options(
    "tflite_squeeze.exporting.config:ExportOnnx", "opset", "samples", "tolerance", "max_steps"
)
@model_options
@force_option
@json_option
@click.pass_context
def onnx_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Write a model as an ONNX file for ONNX Runtime and its like, and check it.

    In float the file is made from the model and compared with it. With --quantize int8 or --plan
    it has the scales, zero points and integers of the .tflite file of the same options, in
    QuantizeLinear and DequantizeLinear, and is compared with that. MODEL may be a .tflite file.
    Inputs keep the model's layout: images have their channels last. The batch is open where the
    model allows it.
    """
    inputs = [model, *([options["plan_file"]] if options["plan_file"] else [])]
    check_output(output, force=options["force"], inputs=inputs)
    if output.suffix != _SUFFIX:
        raise UsageError(f"output {output} would be an ONNX file of another name: end it in .onnx")
    check_json(options["json_target"], force=options["force"], inputs=[*inputs, output])
    with progress(ctx, f"Exporting {model}"):
        exported = _exported(model, options)
    exported.save(output, force=options["force"])
    show(ctx, exported.record.tables())
    write_json(options["json_target"], exported.record, force=options["force"])
    say(ctx, f"{output}: computes what {exported.record.beside} does")


def _exported(model: Path, options: dict[str, Any]) -> "OnnxExport":
    source = open_model(model, options)
    from tflite_squeeze.emission.config import Convert
    from tflite_squeeze.exporting.config import ExportOnnx
    from tflite_squeeze.exporting.export_onnx import export_onnx

    conversion = config_of(
        Convert,
        input_shapes=read_input_shapes(options["input_shape"]),
        plan=open_plan(options),
    )
    return export_onnx(source, config_of(ExportOnnx), open_data(options), conversion=conversion)
