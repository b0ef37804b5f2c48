"""`tflite-squeeze binarize`: a Keras model in, a binary or ternary one out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.compressing import check_targets, compressed, keep
from tflite_squeeze.command_line.config_fields import choices_of
from tflite_squeeze.command_line.config_options import config_of, config_options, help_of
from tflite_squeeze.command_line.data_options import data_options
from tflite_squeeze.command_line.model_options import model_options, open_layers
from tflite_squeeze.command_line.option_types import pattern_type
from tflite_squeeze.command_line.output import force_option, json_option, say
from tflite_squeeze.command_line.training_options import finetune_of, training_options
from tflite_squeeze.errors import CheckFailed, UsageError
from tflite_squeeze.network.larq_library import arrange_for_larq

if TYPE_CHECKING:
    from tflite_squeeze.techniques.binarization.config import Binarize
    from tflite_squeeze.techniques.binarization.record import BinarizeRecord

BINARIZE = "tflite_squeeze.techniques.binarization.config:Binarize"

_QUANTIZERS = choices_of(BINARIZE, "input_quantizer")
_EXAMPLE = f"conv_1=none or block_*=ste_sign:approx_sign; quantizers are {', '.join(_QUANTIZERS)}"


def _quantizers(text: str) -> dict[str, str]:
    """Quantizers of one layer's inputs and kernel, one of which may be left out."""
    names = text.split(":", 1)
    given = {field: name for field, name in zip(("input", "kernel"), names, strict=False) if name}
    if (
        not given
        or not set(given.values()) <= {*_QUANTIZERS, "none"}
        or given.get("kernel") == "none"
    ):
        raise ValueError
    return given


@click.command(
    epilog="Example: tflite-squeeze binarize models/lenet_5.keras -o binary.h5 "
    "--data fashion-mnist --epochs 10"
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The model to write."
)
@data_options
@config_options(
    BINARIZE,
    "weights", "inputs", "scale", "threshold", "per_channel", "input_quantizer",
    "kernel_quantizer", "bits", "layers", "clip", "optimizer", "stages", "initialize", "only",
    "protect",
    scale={"names": ["--weight-scale", "weight_scale"]},
    per_channel={"names": ["--per-channel/--one-scale"]},
    layers={"type": pattern_type("INPUT[:KERNEL]", _quantizers, _EXAMPLE)},
    protect={"help": help_of(BINARIZE, "protect") + ' "none" alone protects no layer.'},
)  # fmt: skip
@training_options
@model_options
@force_option
@json_option
@click.pass_context
def binarize_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Give weights, or weights and inputs, one or two bits.

    With labelled data the model is trained while its weights are quantised on every call; without,
    or with --epochs 0, they are quantised once. Exits 1 when a weight has more values than it
    should.
    """
    check_targets(output, options, [model])
    config, training = _config(options), finetune_of(options)
    if config.inputs == "binary":
        arrange_for_larq()
    source = open_layers(model, options)
    from tflite_squeeze.techniques.binarization.binarize import binarize
    from tflite_squeeze.techniques.binarization.tables import binarize_tables

    doing = f"Binarising {model}"
    binarised, record = compressed(ctx, doing, binarize, source.model, config, training, options)
    keep(ctx, binarised, output, record, binarize_tables(record), options)
    if not record.reached:
        raise CheckFailed(_too_many(output, record))
    say(
        ctx,
        f"{output}: {len(record.weights)} weights of "
        f"{'1 bit' if config.weights == 'binary' else '2 bits'}, {record.packed_bytes:,} bytes "
        f"packed instead of {record.float_bytes:,}",
    )


def _too_many(output: Path, record: "BinarizeRecord") -> str:
    wrong = ", ".join(weight.name for weight in record.weights if not weight.exact)
    return f"{output} has weights of more values than asked for ({wrong}): report this"


def _config(options: dict[str, Any]) -> "Binarize":
    from tflite_squeeze.techniques.binarization.config import Binarize

    if "none" not in (protect := options["protect"]):
        return config_of(Binarize)
    if len(protect) > 1:
        raise UsageError(f"--protect is {', '.join(protect)}: 'none' stands alone")
    return config_of(Binarize, protect=())
