"""Accuracy of int8 files on 10,000 test images: TensorFlow's min/max calibration, and this one's.

Networks like MobileNetV2 on Fashion-MNIST, one epoch, in situations where min/max loses; no labels
are used after training. Finished rows in the JSON are not measured again.

python tools/benchmarks/calibration.py --seeds 3
"""

import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import platform
import statistics
import time
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from calibration_networks import CASES, Case, trained, unequalized, with_glitches
from named_arrays import arrays

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import SqueezeError
from tflite_squeeze.runtime.run import run_file

RESULTS = Path(__file__).with_suffix(".json")
SAMPLES = 512
METHODS = (None, "auto")


@click.group(invoke_without_command=True)
@click.option("--seeds", type=int, default=3, show_default=True)
@click.option("--models", type=click.Path(path_type=Path), default=Path("build/calibration"))
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
@click.option("--print", "only_print", is_flag=True, help="Print the tables of what is there.")
def main(seeds: int, models: Path, results: Path, only_print: bool) -> None:
    """Measures what is not measured yet, and prints a table."""
    found = json.loads(results.read_text()) if results.exists() else {}
    found.setdefault("machine", f"{platform.machine()}, {os.cpu_count()} cores")
    rows = found.setdefault("rows", {})
    if not only_print:
        data = arrays("fashion-mnist")
        for seed in range(seeds):
            for name, case in CASES.items():
                if f"{name}, {seed}" not in rows:
                    rows[f"{name}, {seed}"] = measured(case, data, models, seed)
                    results.write_text(json.dumps(found, indent=1) + "\n")
                    click.echo(f"{name}, {seed}: {rows[f'{name}, {seed}']}", err=True)
    show(rows)


def network(case: Case, data: Any, models: Path, seed: int) -> Any:
    """The trained network of a case, from the folder where it is there."""
    path = models / f"{case.activation}-{seed}.keras"
    if path.exists():
        model = keras.models.load_model(path, compile=False)
    else:
        models.mkdir(parents=True, exist_ok=True)
        model = trained(keras, case.activation, data[0], data[1], seed)
        model.save(path)
    if case.orders:
        unequalized(model, case.orders, seed)
    return model


def measured(case: Case, data: Any, models: Path, seed: int) -> dict[str, Any]:
    """Accuracies of one network, and what calibration told."""
    model = network(case, data, models, seed)
    x, _, x_test, y_test = data
    samples = x[seed * SAMPLES : (seed + 1) * SAMPLES]
    if case.glitches:
        samples, x_test = with_glitches(samples, seed), with_glitches(x_test, seed + 1_000)
    row: dict[str, Any] = {"float": _accuracy(model.predict(x_test, verbose=0), y_test)}
    for method in METHODS:
        started = time.perf_counter()
        config = Convert(quantize="int8", calibrate=method)
        try:
            made = convert(model, config, samples, verification=None)
        except SqueezeError as error:
            row[str(method or "converter")] = {"refused": str(error)}
            continue
        (answers,) = run_file(made.tflite, {"image": x_test}).outputs.values()
        row[str(method or "converter")] = {
            "accuracy": _accuracy(answers, y_test),
            "bytes": len(made.tflite),
            "seconds": round(time.perf_counter() - started, 1),
            "steps": list(made.record.calibration.lines) if made.record.calibration else [],
        }
    return row


def _accuracy(answers: Any, y: Any) -> float:
    return float(np.mean(np.argmax(answers, axis=1) == y))


def show(rows: dict[str, Any]) -> None:
    """A row for each case: medians, and what was won back in the median."""
    click.echo("| network | float | min/max | calibrated | lost | won back | seconds |")
    click.echo("|---|---:|---:|---:|---:|---:|---:|")
    for case in CASES:
        own = [row for name, row in rows.items() if name.rpartition(", ")[0] == case]
        sides = [
            [row["float"], row["converter"]["accuracy"], row["auto"]["accuracy"]]
            for row in own
            if "accuracy" in row["auto"] and "accuracy" in row["converter"]
        ]
        if not sides:
            continue
        before, plain, ours = (statistics.median(one) for one in zip(*sides, strict=True))
        lost = statistics.mean(one[0] - one[1] for one in sides)
        back = statistics.mean(one[2] - one[1] for one in sides)
        seconds = statistics.median(row["auto"]["seconds"] for row in own)
        share = f"{back / lost:.0%}" if lost >= 0.003 else ""
        click.echo(
            f"| {case} | {before:.2%} | {plain:.2%} | {ours:.2%} | {100 * lost:.2f} | "
            f"{100 * back:+.2f} {share} | {seconds:.0f} |"
        )


if __name__ == "__main__":
    main()
