"""`tune` on the reference models and Fashion-MNIST: what it finds under a limit, and how fast.

    python tools/benchmarks/tune.py run resnet_8-latency --minutes 60
    python tools/benchmarks/tune.py table

A search that was killed goes on where it ended; more minutes continue one that is finished. Its
folder is in build/benchmarks/tune/, the figures go into tools/benchmarks/tune.json. Losses are
of the half of the test part on which nothing is chosen. `table` writes docs/measured/tune.md.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import click
import keras
from kept_results import KeptResults
from measured_table import renew_page
from tune_networks import NETWORKS, Task

from tflite_squeeze.data.data import load_data
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search.candidate import Candidate
from tflite_squeeze.search.folder import BEST, TRIAL_FILE
from tflite_squeeze.search.measuring import loss_of
from tflite_squeeze.search.record import TuneRecord
from tflite_squeeze.search.tables import cost_text, loss_text
from tflite_squeeze.search.tune import Tuned, tune

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = KeptResults(__file__)
FOLDERS = REPOSITORY / "build" / "benchmarks" / "tune"

_INT8 = Candidate(quantize=Quantization.INT8)
LATENCY = {"minimize": "latency", "max_drop": 0.01}
# Model (a reference model, or one of tune_networks.py), and what is asked for.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet_8-latency": ("resnet_8", {"minimize": "latency", "max_drop": 0.005}),
    "mobilenet_v1_025-latency": ("mobilenet_v1_025", {"minimize": "latency", "max_drop": 0.005}),
    "lenet_5-download": ("lenet_5", {"minimize": "download", "max_drop": 0.003}),
    "resnet_8-micro": (
        "resnet_8",
        # Half of what int8 takes: an arena of 44,416 bytes and a file of 90,480.
        {
            "minimize": "ram",
            "target": "micro",
            "max_drop": 0.01,
            "limits": {"ram": 22_208, "raw": 45_240},
        },
    ),
    "lenet_5-energy": (
        "lenet_5",
        {"minimize": "energy", "target": "ethos-u55-128", "max_drop": 0.005},
    ),
    "watch_lstm-latency": ("watch_lstm", {"minimize": "latency", "max_drop": 0.0}),
    "watch_lstm-raw": ("watch_lstm", {"minimize": "raw", "max_drop": 0.0}),
    **{f"{name}-latency": (name, LATENCY) for name in NETWORKS},
    "unlabelled-latency": ("unlabelled", {"minimize": "latency", "min_agreement": 0.97}),
}


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


@main.command()
@click.argument("case", type=click.Choice(list(CASES)))
@click.option("--minutes", type=float, default=60.0, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def run(case: str, minutes: float, seed: int) -> None:
    """Searches, or goes on with a search."""
    name, asked = CASES[case]
    folder = FOLDERS / f"{case}-{seed}"
    task = _task(name)
    done = tune(
        task.model,
        Tune(**asked, seconds=60 * minutes, seed=seed),
        task.data,
        folder,
        resume=(folder / "state.json").exists(),
        on_progress=lambda line: click.echo(line, err=True),
    )
    found = {"record": json.loads(done.record.model_dump_json())}
    if task.unseen is not None:
        found["unseen"] = _lost(task, done)
    RESULTS.keep(f"{case} {seed}", found, quiet=True)


def _task(name: str) -> Task:
    """A reference model by its path, or a network that is trained here.

    Its file is kept, since a search goes on with the same bytes only.
    """
    if name not in NETWORKS:
        data = "watch" if name.startswith("watch") else "fashion-mnist"
        return Task(REPOSITORY / "models" / f"{name}.keras", data)
    keras.utils.set_random_seed(0)
    task = NETWORKS[name]()
    path = FOLDERS / "networks" / f"{name}.keras"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        task.model.save(path)
    return task._replace(model=path)


def _lost(task: Task, done: Tuned) -> dict[str, float]:
    """What the file without training and the best one lose on examples that no search has seen."""
    assert done.folder is not None
    source, data = load_model(task.model), load_data({"validation": task.unseen})
    first = f"{done.record.trial(done.record.first).folder}/{TRIAL_FILE}"
    files = {"first": first, "best": BEST}
    return {
        name: loss_of(source, (done.folder / path).read_bytes(), data, Quantization.NONE).drop
        for name, path in files.items()
    }


@main.command()
def table() -> None:
    """Writes docs/measured/tune.md."""
    rows = [
        "| task | seed | minutes | trials | without training | found | of that | of plain int8 "
        "| beside the model | unseen |",
        "|---|---:|---:|---:|---|---|---:|---:|---:|---:|",
    ]
    for key, value in sorted(RESULTS.known.items()):
        record = TuneRecord.model_validate(value["record"])
        case, seed = key.rsplit(" ", 1)
        (cost,) = record.asked.minimize
        first, best = record.trial(record.first), record.trial(record.best)
        plain = next(one for one in record.trials if one.candidate == _INT8)
        trained = sum(one.stage != "free" for one in record.trials)
        known = value.get("unseen")
        unseen = "" if known is None else f"{-100 * known['best']:+.2f} points"
        rows.append(
            f"| {case} | {seed} | {record.seconds / 60:.0f} | {trained} "
            f"| {first.candidate.text()}: {cost_text(cost, first.costs[cost])} "
            f"| {best.candidate.text()}: {cost_text(cost, best.costs[cost])} "
            f"| {best.costs[cost] / first.costs[cost]:.3f} "
            f"| {best.costs[cost] / plain.costs[cost]:.3f} | {loss_text(best)} "
            f"| {unseen} |"
        )
    renew_page("tune", "searches", "\n".join(rows))


if __name__ == "__main__":
    main()
