"""Wall time of `tflite-squeeze convert --no-verify` against a bare script with TFLiteConverter.

Both load the same model and convert it with the same settings, each in a new process, in turns;
prints the ratio of medians per model and quantization.

python tools/benchmarks/convert_overhead.py --repetitions 5
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLES = REPOSITORY / "models" / "samples" / "fashion-mnist.npz"
CALIBRATION = 100

BARE = """
import sys
import numpy as np
import tensorflow as tf
{module} = __import__({module!r})
model = {module}.models.load_model(sys.argv[1], compile=False)
converter = tf.lite.TFLiteConverter.from_keras_model(model)
if sys.argv[3] != "none":
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
if sys.argv[3] == "float16":
    converter.target_spec.supported_types = [tf.float16]
if sys.argv[3] == "int8":
    x = np.load(sys.argv[4])["x_train"][:{count}].astype("float32") / 255
    converter.representative_dataset = lambda: ([x[i:i + 1]] for i in range(len(x)))
open(sys.argv[2], "wb").write(converter.convert())
"""


def seconds(command: list[str]) -> float:
    """Wall time of a command; fails when the command does."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


@click.command(help=__doc__)
@click.option("--repetitions", type=click.IntRange(min=1), default=5, show_default=True)
def main(repetitions: int) -> None:
    """The command line."""
    tool = str(Path(sys.executable).with_name("tflite-squeeze"))
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out.tflite")
        for name in ("lenet_5.keras", "lenet_5.h5", "mobilenet_v1_025.keras"):
            model = str(REPOSITORY / "models" / name)
            module = "tf_keras" if name.endswith(".h5") else "keras"
            script = BARE.format(module=module, count=CALIBRATION)
            for mode in ("none", "float16", "int8"):
                bare = [sys.executable, "-c", script, model, out, mode, str(SAMPLES)]
                ours = [tool, "convert", model, "-o", out, "--quantize", mode, "--no-verify"]
                ours.append("--force")
                if mode == "int8":
                    ours += ["--data", str(SAMPLES), "--calibration-samples", str(CALIBRATION)]
                pairs = [(seconds(ours), seconds(bare)) for _ in range(repetitions)]
                mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
                click.echo(
                    f"{name} {mode}: ours {mine:.2f} s, bare {theirs:.2f} s, "
                    f"ratio {mine / theirs:.2f}"
                )


if __name__ == "__main__":
    main()
