"""`tflite-squeeze l0`: a Keras model in, the same model with trained zeros out."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.compressing import compress, compressing
from tflite_squeeze.command_line.config_options import config_options

L0 = "tflite_squeeze.techniques.l0.config:L0"


@compressing(
    "l0 models/lenet_300_100.keras -o sparse.keras "
    "--data fashion-mnist --lam 10 --epochs 20",
    config_options(
        L0,
        "lam", "init_keep", "gate_learning_rate", "warmup", "settle", "temperature", "only",
        "protect",
        temperature={"names": ["--gate-temperature", "gate_temperature"]},
    ),
)  # fmt: skip
def l0_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Train with an L0 penalty, which sets weights exactly to zero.

    Trains for 20 epochs or more by default, so it needs labelled data, or --teacher original. The
    number of zeros follows from --lam.
    """
    compress(
        ctx, model, output, options,
        doing="Training gates in",
        verb="tflite_squeeze.techniques.l0.l0:l0_prune",
        config=L0,
        trains_as="L0 regularization",
        closing=lambda record: (
            f"{record.sparsity:.2%} zeros in {len(record.weights)} weights"
            + ("" if record.sparsity else "; raise --lam, or train for more epochs")
        ),
    )  # fmt: skip
