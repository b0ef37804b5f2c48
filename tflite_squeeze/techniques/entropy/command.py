"""`tflite-squeeze entropy`: a Keras model in, the same model with weights of few bytes out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tflite_squeeze.command_line.compressing import compress, compressing
from tflite_squeeze.command_line.config_options import config_options
from tflite_squeeze.errors import CheckFailed

if TYPE_CHECKING:
    from tflite_squeeze.techniques.entropy.record import EntropyRecord

PENALTY = "tflite_squeeze.techniques.entropy.config:EntropyPenalty"


@compressing(
    "entropy models/lenet_300_100.keras -o few_bytes.keras "
    "--data fashion-mnist --penalty 0.1 --epochs 20",
    config_options(
        PENALTY,
        "penalty", "target_bytes", "ramp", "per_channel", "biases", "group", "from_scratch",
        "only", "protect",
    ),
)  # fmt: skip
def entropy_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Train with the bytes of the weights in the loss (entropy penalty).

    Weights become integers times a step, and each costs what its code takes. Trains for 20 epochs
    or more by default, so it needs labelled data, or --teacher original. Convert the output with
    --quantize int8, whose file has exactly these integers, and pack the file. Exits 1 when
    --target-bytes is missed.
    """
    compress(
        ctx, model, output, options,
        doing="Training bytes out of",
        verb="tflite_squeeze.techniques.entropy.penalize:penalize_entropy",
        config=PENALTY,
        trains_as="entropy-penalized training",
        closing=lambda record: _conclusion(record),
    )  # fmt: skip


def _conclusion(record: "EntropyRecord") -> str:
    target = record.config.target_bytes
    if target is not None and not record.reached:
        raise CheckFailed(
            f"the weights take {record.code_bytes:,.0f} bytes, and {target:,} were asked for: "
            f"train for longer, or ask for more bytes"
        )
    return f"{record.code_bytes:,.0f} bytes of code in {len(record.weights)} weights"
