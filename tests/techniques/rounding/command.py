from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.compressing import compress, compressing
from tflite_squeeze.command_line.config_options import config_options

ROUND = "tests.techniques.rounding.config:Round"


@compressing("round net.keras -o rounded.keras", config_options(ROUND, "step", "only"))
def round_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Round weights to multiples of a step."""
    compress(
        ctx, model, output, options,
        doing="Rounding",
        verb="tests.techniques.rounding.rounding:round_weights",
        config=ROUND,
        closing=lambda record: f"{len(record.values)} weights on a grid",
    )  # fmt: skip
