"""`tflite-squeeze binarize`: a Keras model in, a binary or ternary one out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.compressing import compress, compressing
from tflite_squeeze.command_line.config_fields import choices_of
from tflite_squeeze.command_line.config_options import config_of, config_options, help_of
from tflite_squeeze.command_line.option_types import pattern_type
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


@compressing(
    "binarize models/lenet_5.keras -o binary.h5 "
    "--data fashion-mnist --epochs 10",
    config_options(
        BINARIZE,
        "weights", "inputs", "scale", "threshold", "per_channel", "input_quantizer",
        "kernel_quantizer", "bits", "layers", "clip", "optimizer", "stages", "initialize", "only",
        "protect",
        scale={"names": ["--weight-scale", "weight_scale"]},
        per_channel={"names": ["--per-channel/--one-scale"]},
        layers={"type": pattern_type("INPUT[:KERNEL]", _quantizers, _EXAMPLE)},
        protect={"help": help_of(BINARIZE, "protect") + ' "none" alone protects no layer.'},
    ),
)  # fmt: skip
def binarize_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Quantize weights, or weights and inputs, to one or two bits.

    With labelled data the model is trained while its weights are quantized on every call; without,
    or with --epochs 0, they are quantized once. Exits 1 when a weight has more values than it
    should.
    """
    compress(
        ctx, model, output, options,
        doing="Binarizing",
        verb="tflite_squeeze.techniques.binarization.binarize:binarize",
        config=lambda: _config(options),
        closing=lambda record: _conclusion(record),
    )  # fmt: skip


def _conclusion(record: "BinarizeRecord") -> str:
    if not record.reached:
        raise CheckFailed(_too_many(record))
    bits = "1 bit" if record.config.weights == "binary" else "2 bits"
    return (
        f"{len(record.weights)} weights of {bits}, {record.packed_bytes:,} bytes packed instead of "
        f"{record.float_bytes:,}"
    )


def _too_many(record: "BinarizeRecord") -> str:
    wrong = ", ".join(weight.name for weight in record.weights if not weight.exact)
    return f"it has weights with more values than requested ({wrong}): report this"


def _config(options: dict[str, Any]) -> "Binarize":
    from tflite_squeeze.techniques.binarization.config import Binarize

    protect = options["protect"]
    if "none" in protect and len(protect) > 1:
        raise UsageError(
            f"--protect is {', '.join(protect)}: 'none' cannot be combined with other patterns"
        )
    config = config_of(Binarize, protect=()) if "none" in protect else config_of(Binarize)
    if config.inputs == "binary":
        arrange_for_larq()  # before TensorFlow is imported
    return config
