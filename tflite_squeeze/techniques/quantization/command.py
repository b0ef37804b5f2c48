"""`tflite-squeeze quantize`: a Keras model in, its quantized twin out."""

from pathlib import Path
from typing import Any

import click

from tflite_squeeze.command_line.compressing import compress, compressing
from tflite_squeeze.command_line.config_options import config_of, config_options, help_of

QUANTIZATION = "tflite_squeeze.techniques.quantization.config:QuantizationAware"


@compressing(
    "quantize models/lenet_5.keras -o quantized.keras --data fashion-mnist --weights 4 --epochs 3",
    config_options(
        QUANTIZATION,
        "weights", "activations", "layers", "calibrate", "samples", "estimator", "learned_scale",
        "delay",
        delay={"metavar": "STEPS"},
    ),
    click.option(
        "--plan", "plan_file", metavar="FILE", type=click.Path(path_type=Path),
        help=f"YAML or JSON, as inspect --plan writes it. {help_of(QUANTIZATION, 'plan')}",
    ),
)  # fmt: skip
def quantize_command(ctx: click.Context, /, model: Path, output: Path, **options: Any) -> None:
    """Train with the integers that the file will have (quantization-aware training).

    Ranges are calibrated on --data. With labels, or --teacher original, the model is then trained
    with rounded weights and activations; without, or with --epochs 0, it is only calibrated.
    Convert the output without --quantize: its file has exactly the integers that were trained.
    """
    plan_file: Path | None = options["plan_file"]

    def config() -> Any:
        from tflite_squeeze.network.quantization.plan_files import load_plan
        from tflite_squeeze.techniques.quantization.config import QuantizationAware

        return config_of(QuantizationAware, plan=plan_file and load_plan(plan_file))

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
