"""`tflite-squeeze narrow`: a Keras model in, the same model with fewer filters out."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.compressing import compress, compressing
from tflite_squeeze.command_line.config_options import config_options

NARROW = "tflite_squeeze.techniques.narrowing.config:Narrow"


@compressing(
    "narrow models/lenet_300_100.keras -o narrow.keras "
    "--data fashion-mnist --ratio 0.5 --epochs 3",
    config_options(
        NARROW,
        "ratio", "layers", "budget", "keep", "measure", "score", "repair", "samples",
        "coupled", "multiple", "only", "protect",
    ),
)  # fmt: skip
def narrow_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Remove whole filters and units, so that layers get smaller and faster.

    Layers whose outputs are added keep the same filters. With data the layers behind are solved
    anew, which needs no labels, and then the original teaches
    the smaller model, unless --epochs is 0. With
    --budget and --keep the widths that lose least are searched for. What cannot get narrower is
    listed with the reason; exits 2 when nothing can.
    """
    options["teacher"] = options["teacher"] or "original"
    compress(
        ctx, model, output, options,
        doing="Narrowing",
        verb="tflite_squeeze.techniques.narrowing.narrow:narrow",
        config=NARROW,
        closing=lambda record: (
            f"{record.parameters_before:,} → {record.parameters_after:,} parameters"
        ),
    )  # fmt: skip
