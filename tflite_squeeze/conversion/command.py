"""`tflite-squeeze convert`: a Keras model or a float file in, a verified `.tflite` out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.data_options import data_options, open_data
from tflite_squeeze.command_line.model_options import model_options, open_model, read_input_shapes
from tflite_squeeze.command_line.option_types import N_OR_ALL
from tflite_squeeze.command_line.output import (
    check_json,
    force_option,
    json_option,
    say,
    show,
    working,
    write_json,
)
from tflite_squeeze.command_line.plan_options import open_plan, plan_option
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.files.files import check_output, read_file

if TYPE_CHECKING:
    from tflite_squeeze.conversion.convert import Converted
    from tflite_squeeze.emission.config import Convert
    from tflite_squeeze.training.progress import Working
    from tflite_squeeze.verification.limits import Verify

CONVERT = "tflite_squeeze.emission.config:Convert"


@click.command(
    epilog="Example: tflite-squeeze convert models/lenet_5.keras -o lenet_5.tflite --quantize int8 "
    "--data models/samples/fashion-mnist.npz"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The .tflite to write."
)
@config_options(
    CONVERT,
    "quantize",
    "calibrate",
    "weight_bits",
    "minimize",
    "keep_float",
    "keep_int16",
    "io_dtype",
)
@plan_option(CONVERT)
@data_options
@config_options(
    CONVERT, "batch", "per_channel_dense", "sparsity", "runtime", "low_bit", "allow_select_ops"
)
@click.option(
    "--labels",
    "labels_file",
    type=click.Path(path_type=Path),
    help="Text file with a class name per line, written into the file.",
)
@config_options(CONVERT, "name", "calibration_samples")
@click.option("--no-verify", is_flag=True, help="Do not compare the file with the model.")
@config_options(
    "tflite_squeeze.verification.limits:Verify", "max_drop", "min_sqnr_db", "samples",
    samples=N_OR_ALL,
)  # fmt: skip
@model_options
@force_option
@json_option
@click.pass_context
def convert_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Turn a Keras model, or a float .tflite file, into a verified .tflite file.

    MODEL is a .keras or .h5 file of Keras 3 or tf_keras, an .onnx file, a SavedModel folder, or a
    .tflite file of floats, which is quantized and verified against itself. A file that fails
    verification is written as OUTPUT.rejected.tflite instead of OUTPUT; the exit code is 1.
    """
    data_file = Path(options["data"]) if options["data"] else None
    files = (model, options["labels_file"], options["plan_file"], data_file)
    inputs = [path for path in files if path is not None]
    check_output(output, force=options["force"], inputs=inputs)
    _refuse_other_suffix(output)
    check_json(options["json_target"], force=options["force"], inputs=[*inputs, output])
    config = _config(options)
    verification = _verification(options)
    with working(ctx, f"Converting {model}") as tell:
        converted = _convert(model, config, verification, options, tell)
    if ctx.obj["verbose"]:
        click.echo("\n".join(converted.chatter), err=True)
    _write(ctx, converted, output, options)


def _refuse_other_suffix(output: Path) -> None:
    """Refuses to call a .tflite file something that other tools take for another kind."""
    if output.suffix.lower() != ".tflite":
        raise UsageError(
            f"output {output} would be a .tflite file of another name: name it "
            f"{output.with_suffix('.tflite').name}"
        )


def _convert(
    model: Path,
    config: "Convert",
    verification: "Verify | None",
    options: dict[str, Any],
    tell: "Working",
) -> "Converted":
    source = open_model(model, options)
    from tflite_squeeze.conversion.convert import convert

    return convert(source, config, open_data(options), verification=verification, working=tell)


def _write(ctx: click.Context, converted: "Converted", output: Path, options: Any) -> None:
    from tflite_squeeze.conversion.tables import convert_tables
    from tflite_squeeze.verification.tables import verdict

    show(ctx, convert_tables(converted.record))
    write_json(options["json_target"], converted.record, force=options["force"])
    converted.save(output, force=options["force"])
    check = converted.record.verification
    said = verdict(check) if check else f"not verified: {converted.record.unverified}"
    say(ctx, f"{output}: {said}")


def _config(options: dict[str, Any]) -> "Convert":
    from tflite_squeeze.emission.config import Convert
    from tflite_squeeze.emission.quantization import uncalibrated

    config = config_of(
        Convert,
        input_shapes=read_input_shapes(options["input_shape"]),
        labels=read_labels(options["labels_file"]),
        plan=open_plan(options),
    )
    if config.quantize.calibrates and options["data"] is None and config.plan is None:
        raise uncalibrated(config.quantize)
    return config


_MOST_LABELS_BYTES = 2**22


def read_labels(path: Path | None) -> tuple[str, ...]:
    """The names of classes in a text file, one a line; none without a file.

    Raises:
        InputError: it is no text, or empty.
    """
    if path is None:
        return ()
    try:
        lines = read_file(path, "labels", most_bytes=_MOST_LABELS_BYTES).decode().splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"labels {path} is not UTF-8 text: save it as UTF-8") from error
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels:
        raise InputError(f"labels {path} is empty: write a class name per line")
    return labels


def _verification(options: dict[str, Any]) -> "Verify | None":
    from tflite_squeeze.verification.limits import Verify

    return None if options["no_verify"] else config_of(Verify)
