"""`tflite-squeeze quantize`: a Keras model in, its quantized twin out."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.compressing import compress, compressing
from tflite_squeeze.command_line.config_options import config_of, config_options
from tflite_squeeze.command_line.plan_options import open_plan, plan_option

QUANTIZATION = "tflite_squeeze.techniques.quantization.config:QuantizationAware"


@compressing(
    "quantize models/lenet_5.keras -o quantized.keras --data fashion-mnist --weights 4 --epochs 3",
    config_options(
        QUANTIZATION,
        "weights", "activations", "layers", "calibrate", "samples", "estimator", "learned_scale",
        "delay",
        delay={"metavar": "STEPS"},
    ),
    plan_option(QUANTIZATION),
)  # fmt: skip
def quantize_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Train with the integers that the file will have (quantization-aware training).

    Ranges are calibrated on --data. With labels, or --teacher original, the model is then trained
    with rounded weights and activations; without, or with --epochs 0, it is only calibrated.
    Convert the output without --quantize: its file has exactly the integers that were trained.
    """
    plan_file: Path | None = options["plan_file"]

    def config() -> Any:
        from tflite_squeeze.techniques.quantization.config import QuantizationAware

        return config_of(QuantizationAware, plan=open_plan(options))

    compress(
        ctx, model, output, options,
        inputs=[plan_file] if plan_file else [],
        doing="Quantizing",
        verb="tflite_squeeze.techniques.quantization.quantize:quantize",
        config=config,
        closing=lambda record: (
            f"{len(record.weights)} weights and {len(record.plan.activations)} activations "
            f"quantized; make its file with: tflite-squeeze convert {output}"
        ),
    )  # fmt: skip
