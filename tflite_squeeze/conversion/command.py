"""`tflite-squeeze convert`: a Keras model in, a verified `.tflite` out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.data_options import data_options
from tflite_squeeze.command_line.model_options import (
    model_options,
    open_data,
    open_model,
    read_input_shapes,
    read_samples,
)
from tflite_squeeze.command_line.output import (
    check_json,
    force_option,
    json_option,
    progress,
    say,
    show,
    write_json,
)
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.files.files import check_output, read_file

if TYPE_CHECKING:
    from tflite_squeeze.conversion.convert import Converted
    from tflite_squeeze.emission.config import Convert
    from tflite_squeeze.verification.record import Verify

_QUANTIZATIONS = ("none", "float16", "dynamic", "int8", "int16x8")


@click.command(
    epilog="Example: tflite-squeeze convert models/lenet_5.keras -o lenet_5.tflite --quantize int8 "
    "--data models/samples/fashion-mnist.npz"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The .tflite to write."
)
@click.option(
    "--quantize",
    type=click.Choice(_QUANTIZATIONS),
    default="none",
    show_default=True,
    help="What weights and activations become; int8 and int16x8 calibrate on --data.",
)
@click.option(
    "--io-dtype",
    type=click.Choice(("float32", "int8", "uint8")),
    default="float32",
    show_default=True,
    help="What the file takes and puts out; int8 and uint8 need --quantize int8.",
)
@data_options
@click.option(
    "--batch", default="1", show_default=True, metavar="N|dynamic", help="Batch size of the file."
)
@click.option(
    "--per-channel-dense/--no-per-channel-dense",
    default=True,
    show_default=True,
    help="A scale per unit of integer Dense weights, or one for all (smaller).",
)
@click.option(
    "--sparsity",
    type=click.Choice(("auto", "dense", "sparse")),
    default="auto",
    show_default=True,
    help="How weights that are mostly zero are stored: auto takes what is smaller and not slower.",
)
@click.option(
    "--runtime",
    type=click.Choice(("litert", "larq")),
    default="litert",
    show_default=True,
    help="What runs the file: larq for binary layers in single bits (Larq Compute Engine).",
)
@click.option(
    "--low-bit",
    type=click.Choice(("auto", "int2", "int4", "off")),
    default="auto",
    show_default=True,
    help="How weights that are only -s, 0 and s are stored (--quantize none or dynamic).",
)
@click.option(
    "--allow-select-ops",
    is_flag=True,
    help="Let operators that TFLite lacks become TensorFlow ones (needs the Flex delegate).",
)
@click.option(
    "--labels",
    "labels_file",
    type=click.Path(path_type=Path),
    help="Text file with a class name per line, written into the file.",
)
@click.option("--name", help="Name written into the file; the model's own otherwise.")
@click.option(
    "--calibration-samples",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Samples on which the integer modes measure ranges.",
)
@click.option("--no-verify", is_flag=True, help="Do not compare the file with the model.")
@click.option(
    "--max-drop",
    type=click.FloatRange(0, 1, max_open=True),
    help="Largest loss of accuracy that passes, as a fraction; strict when given.",
)
@click.option("--min-sqnr-db", type=float, help="Least SQNR of an output that passes, in dB.")
@click.option(
    "--samples", default="256", show_default=True, metavar="N|all", help="Samples to verify on."
)
@model_options
@force_option
@json_option
@click.pass_context
def convert_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Turn a Keras model into a verified .tflite file.

    MODEL is a .keras or .h5 file of Keras 3 or tf_keras, or a SavedModel folder. A file that
    fails its check exits 1, is left as OUTPUT.rejected.tflite, and OUTPUT is not written.
    """
    data_file = Path(options["data"]) if options["data"] else None
    inputs = [path for path in (model, options["labels_file"], data_file) if path is not None]
    check_output(output, force=options["force"], inputs=inputs)
    check_json(options["json_target"], force=options["force"], inputs=[*inputs, output])
    config = _config(options)
    verification = _verification(options)
    with progress(ctx, f"Converting {model}"):
        converted = _convert(model, config, verification, options)
    if ctx.obj["verbose"]:
        click.echo("\n".join(converted.chatter), err=True)
    _write(ctx, converted, output, options)


def _convert(
    model: Path, config: "Convert", verification: "Verify | None", options: dict[str, Any]
) -> "Converted":
    source = open_model(model, options)
    from tflite_squeeze.conversion.convert import convert

    return convert(source, config, open_data(options), verification=verification)


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
    from pydantic import ValidationError

    from tflite_squeeze.emission.config import Convert
    from tflite_squeeze.emission.quantization import uncalibrated

    batch = options["batch"]
    if batch != "dynamic" and not (batch.isdecimal() and int(batch) > 0):
        raise UsageError(f"--batch is {batch!r}: give a positive number or 'dynamic'")
    try:
        config = Convert(
            quantize=options["quantize"],
            io_dtype=options["io_dtype"],
            batch=batch if batch == "dynamic" else int(batch),
            per_channel_dense=options["per_channel_dense"],
            allow_select_ops=options["allow_select_ops"],
            input_shapes=read_input_shapes(options["input_shape"]),
            calibration_samples=options["calibration_samples"],
            name=options["name"],
            labels=_labels(options["labels_file"]),
            sparsity=options["sparsity"],
            low_bit=options["low_bit"],
            runtime=options["runtime"],
        )
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(reason) from error
    if config.quantize.calibrates and options["data"] is None:
        raise uncalibrated(config.quantize)
    return config


def _labels(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    try:
        lines = read_file(path, "labels").decode().splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"labels {path} is not text in UTF-8: save it as such") from error
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels:
        raise InputError(f"labels {path} is empty: write a class name per line")
    return labels


def _verification(options: dict[str, Any]) -> "Verify | None":
    from tflite_squeeze.verification.record import Verify

    if options["no_verify"]:
        return None
    return Verify(
        max_drop=options["max_drop"],
        min_sqnr_db=options["min_sqnr_db"],
        samples=read_samples(options["samples"]),
    )
