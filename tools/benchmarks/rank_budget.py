"""Ranks under one budget: accuracy at half the cost, without training, and the time of ResNet-50.

python tools/benchmarks/rank_budget.py accuracy
python tools/benchmarks/rank_budget.py resnet50 --size 64
python tools/benchmarks/rank_budget.py table

Each result goes into rank_budget.json as soon as it is there, and is not measured again while it
is in it. Accuracy is on the full test set of Fashion-MNIST; 512 of its training images, without
labels, are all that is used. ResNet-50 has random weights, since its time does not depend on them.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import time
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from kept_results import KeptResults

from tflite_squeeze import Factorize, factorize
from tflite_squeeze.runtime.machine import this_machine

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = KeptResults(__file__)
NETWORKS = ("resnet_8", "lenet_300_100", "mobilenet_v1_025", "lenet_5")
# What was there before: the energy of singular values, and nothing solved after the split.
WAYS: dict[str, dict[str, Any]] = {
    "energy": {"macs_ratio": 0.5, "repair": False},
    "divergence, repaired": {"budget": "macs", "keep": 0.5},
    "energy, repaired": {"macs_ratio": 0.5},
    "divergence": {"budget": "macs", "keep": 0.5, "repair": False},
}


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


@main.command()
@click.option("--only", type=click.Choice(NETWORKS), help="One network.")
def accuracy(only: str | None) -> None:
    """Accuracy at half of the multiply-accumulates, without training."""
    for way, settings in WAYS.items():
        for name in NETWORKS if only is None else (only,):
            key = f"{name}, {way}"
            if key in RESULTS.known:
                continue
            model = keras.models.load_model(REPOSITORY / "models" / f"{name}.keras", compile=False)
            record = factorize(model, Factorize(**settings), "fashion-mnist", one_shot=True).record
            repair = record.repair
            RESULTS.keep(key, {
                "before": record.before, "after": record.after, "macs": record.macs_ratio,
                "bytes": record.parameters_ratio, "seconds": round(record.seconds, 1),
                "divergence": None if repair is None else [repair.before, repair.after],
            })  # fmt: skip


@main.command()
@click.option("--size", type=int, default=64, show_default=True, help="Height and width.")
@click.option("--samples", type=int, default=256, show_default=True)
def resnet50(size: int, samples: int) -> None:
    """How long ResNet-50 takes, with progress on standard error."""
    key = f"ResNet-50, {size} px, {samples} samples"
    if key in RESULTS.known:
        return
    keras.utils.set_random_seed(0)
    shape = (size, size, 3)
    model = keras.applications.ResNet50(weights=None, input_shape=shape, classes=100)
    x = np.random.default_rng(0).random((samples, *shape), np.float32)
    config = Factorize(budget="macs", keep=0.5, samples=samples)
    began, used = time.perf_counter(), time.process_time()
    record = factorize(model, config, x, one_shot=True, verbose=1).record
    RESULTS.keep(key, {
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(time.process_time() - used, 1),
        "load": round(os.getloadavg()[0], 1), "macs": record.macs_ratio,
        "layers": len(record.layers), "machine": this_machine().cpu,
    })  # fmt: skip


@main.command()
def table() -> None:
    """The page's table."""
    known = RESULTS.known
    click.echo("| network | whole | " + " | ".join(WAYS) + " |")
    click.echo("|---|---:|" + "---:|" * len(WAYS))
    for name in NETWORKS:
        cells = [known.get(f"{name}, {way}") for way in WAYS]
        whole = next((cell["before"] for cell in cells if cell), None)
        if whole is not None:
            shown = " | ".join(f"{cell['after']:.2%}" if cell else "" for cell in cells)
            click.echo(f"| {name} | {whole:.2%} | {shown} |")


if __name__ == "__main__":
    main()
