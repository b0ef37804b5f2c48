"""`tflite-squeeze verify`: compares a file's outputs with those of what it came from."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.data_options import data_options, open_data
from tflite_squeeze.command_line.model_options import model_options, open_model
from tflite_squeeze.command_line.option_types import N_OR_ALL
from tflite_squeeze.command_line.output import (
    check_json,
    force_option,
    json_option,
    progress,
    say,
    show,
    write_json,
)
from tflite_squeeze.command_line.tensorflow import import_tensorflow
from tflite_squeeze.errors import CheckFailed


@click.command(
    epilog="Example: tflite-squeeze verify models/lenet_5.keras lenet_5.tflite "
    "--data models/samples/fashion-mnist.npz --max-drop 0.01"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("tflite", metavar="FILE.tflite", type=click.Path(path_type=Path))
@data_options
@config_options(
    "tflite_squeeze.verification.limits:Verify",
    "max_drop", "min_sqnr_db", "min_agreement", "samples", "threads",
    samples=N_OR_ALL,
)  # fmt: skip
@model_options
@force_option
@json_option
@click.pass_context
def verify_command(ctx: click.Context, /, model: Path, tflite: Path, **options: Any) -> None:
    """Check that a .tflite file gives the same outputs as the model that it came from.

    MODEL is a Keras model, a SavedModel folder or another .tflite file. Both run on the same
    samples. If the file fails, the exit code is 1 and the report names the tensor at which it
    diverges first.
    """
    check_json(options["json_target"], force=options["force"], inputs=[model, tflite])
    import_tensorflow()
    from tflite_squeeze.emission.quantization import Quantization
    from tflite_squeeze.files.tflite_file import read_tflite
    from tflite_squeeze.network.loading import ModelKind
    from tflite_squeeze.tflite.flatbuffer import read_model
    from tflite_squeeze.verification.limits import Verify
    from tflite_squeeze.verification.remedy import mixed_command
    from tflite_squeeze.verification.tables import verdict, verify_tables

    config = config_of(Verify)
    content = read_tflite(tflite)
    read_model(content, str(tflite))  # refused by name
    with progress(ctx, f"Verifying {tflite}"):
        source = open_model(model, options)
        if source.kind is ModelKind.TFLITE:
            read_model(source.model, str(model))  # refused by name
        from tflite_squeeze.verification.verify import verify

        record = verify(source, content, open_data(options), config)
    show(ctx, verify_tables(record))
    write_json(options["json_target"], record, force=options["force"])
    if not record.passed:
        remedy, command = "pass --data for real samples", ""
        if record.real_samples:
            remedy = "convert it again"
            if record.quantization is Quantization.INT8:
                remedy = "keep in float what needs it:"
                command = mixed_command(record, model, tflite.with_stem(f"{tflite.stem}.mixed"))
        raise CheckFailed(
            f"{tflite} {verdict(record)}: loosen the limits, or {remedy}", command=command
        )
    say(ctx, f"{tflite}: {verdict(record)}")
