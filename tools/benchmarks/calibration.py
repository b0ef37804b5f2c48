"""Accuracy of int8 files on 10,000 test images: TensorFlow's min/max calibration, and this one's.

`cases` are networks on which min/max may lose, trained for two epochs on Fashion-MNIST;
`references` are the models of this repository. No labels are used after training. Rows that are
in the JSON are not measured again.

python tools/benchmarks/calibration.py cases
python tools/benchmarks/calibration.py references
python tools/benchmarks/calibration.py hot
python tools/benchmarks/calibration.py table
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from calibration_networks import CASES, trained, with_hot_pixels
from kept_results import KeptResults
from measured_table import renew_page
from named_arrays import arrays

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.calibration.calibrate import calibrated
from tflite_squeeze.emission.calibration.config import Calibrate
from tflite_squeeze.emission.calibration.steps import quantized_by_calibration
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.network.flavors import input_specs
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.twin import twin_of
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.training.divergence import Divergence

RESULTS = KeptResults(__file__)
MODELS = Path(__file__).resolve().parents[2] / "models"
REFERENCES = ("lenet_300_100", "resnet_8", "mobilenet_v1_025")
EPOCHS, SAMPLES, JUDGED = 2, 256, 512
HOT_PIXELS: dict[str, dict[str, Any]] = {
    "min/max": {}, "16 bits": {"bits": 16}, "clipped at 1": {"high": 1.0}
}  # fmt: skip


@click.group()
def main() -> None:
    """Measures what is not measured yet."""


@main.command(name="cases")
@click.argument("names", nargs=-1)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), default=Path("build/calibration"))
def cases_command(names: tuple[str, ...], seed: int, folder: Path) -> None:
    """Networks on which min/max may lose."""
    data = arrays("fashion-mnist")
    for name in names or CASES:
        row(f"{name}, seed {seed}", lambda name=name: _case(name, data, folder, seed))


@main.command(name="hot")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("build/calibration"))
def hot_command(folder: Path) -> None:
    """The first three activations of the network of hot pixels, in 16 bits or clipped at 1."""
    x, _, x_test, y_test = arrays("fashion-mnist")
    x, x_test = with_hot_pixels(x[:SAMPLES], 0), with_hot_pixels(x_test, 1_000)
    model = keras.models.load_model(folder / "hot-pixels-0.keras", compile=False)
    (name,) = input_specs(model)
    x, x_test = (one.reshape(-1, *model.input_shape[1:]) for one in (x, x_test))
    answers = model.predict(x_test, batch_size=500, verbose=0)
    plan = calibrated(folded(model), {name: x}, "minmax")
    for what, change in HOT_PIXELS.items():
        first = {one: plan.activations[one].model_copy(update=change)
                 for one in list(plan.activations)[:3]}  # fmt: skip
        changed = plan.model_copy(update={"activations": {**plan.activations, **first}})
        tflite = convert(model, Convert(plan=changed), x, verification=None).tflite
        (found,) = run_file(tflite, {name: x_test}).outputs.values()
        apart = judge(model, [answers])([found])
        click.echo(f"{what}: {_accuracy(found, y_test):.2%}, {len(tflite):,} bytes, {apart:.2g}")


@main.command(name="references")
def references_command() -> None:
    """The reference models."""
    x, _, x_test, y_test = arrays("fashion-mnist")
    for name in REFERENCES:
        model = load_model(MODELS / f"{name}.keras").model
        row(name, lambda model=model: measured(model, x, x_test, y_test))


@main.command(name="table")
def table_command() -> None:
    """Writes docs/measured/calibration.md's table."""
    rows = [
        "| network | float | min/max | `auto` | lost by min/max (points) | won back | "
        "file (bytes) | divergence, min/max → `auto` |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, found in sorted(RESULTS.known.items()):
        plain, ours = found["converter"], found["auto"]
        lost = 100 * (found["float"] - plain["accuracy"])
        back = 100 * (ours["accuracy"] - plain["accuracy"])
        before, after = found["divergence"]
        rows.append(
            f"| {name} | {found['float']:.2%} | {plain['accuracy']:.2%} | {ours['accuracy']:.2%} | "
            f"{lost:.2f} | {back:+.2f} | {plain['bytes']:,} → {ours['bytes']:,} | "
            f"{before:.2g} → {after:.2g} |"
        )
    renew_page("calibration", "networks", "\n".join(rows))


def row(name: str, measure: Callable[[], dict[str, Any]]) -> None:
    """Measures a row that is not there yet, and keeps it."""
    if name not in RESULTS.known:
        RESULTS.keep(name, measure())


def _case(name: str, data: Any, folder: Path, seed: int) -> dict[str, Any]:
    """A case, whose network is trained where the folder does not have it."""
    path = folder / f"{name}-{seed}.keras"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        trained(keras, name, data, EPOCHS, seed)[0].save(path)
    x, _, x_test, y_test = data
    if CASES[name][1]:
        x, x_test = with_hot_pixels(x, seed), with_hot_pixels(x_test, seed + 1_000)
    return measured(keras.models.load_model(path, compile=False), x, x_test, y_test)


def measured(model: Any, x: Any, x_test: Any, y_test: Any) -> dict[str, Any]:
    """Accuracies of a model and of its files, and what calibration told.

    Both sides calibrate on the first 256 images; here 512 more decide which steps are kept.
    """
    (name,) = input_specs(model)
    shape = model.input_shape[1:]
    x, test = x[: SAMPLES + JUDGED].reshape(-1, *shape), {name: x_test.reshape(-1, *shape)}
    answers = model.predict(test[name], batch_size=500, verbose=0)
    plain = convert(model, Convert(quantize="int8"), x[:SAMPLES], verification=None).tflite
    started = time.perf_counter()
    found = quantized_by_calibration(model, {name: x}, Calibrate(samples=SAMPLES), judge=judge)
    seconds = time.perf_counter() - started
    ours = convert(twin_of(found.model, found.plan), verification=None).tflite
    return {
        "float": _accuracy(answers, y_test),
        "converter": _file(plain, test, y_test),
        "auto": _file(ours, test, y_test),
        "seconds": round(seconds, 1),
        "divergence": [found.record.start, found.record.end],
        "steps": list(found.record.lines),
    }


def judge(model: Any, answers: Sequence[Any]) -> Callable[[Sequence[Any]], float]:
    """How far other answers are from a model's."""
    return Divergence(model, answers).of


def _file(tflite: bytes, test: dict[str, Any], y_test: Any) -> dict[str, Any]:
    (answers,) = run_file(tflite, test).outputs.values()
    return {"accuracy": _accuracy(answers, y_test), "bytes": len(tflite)}


def _accuracy(answers: Any, y: Any) -> float:
    return float(np.mean(np.argmax(answers, axis=1) == y))


if __name__ == "__main__":
    main()
