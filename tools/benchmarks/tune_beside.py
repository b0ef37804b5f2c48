"""`tune` beside a search without plans: random widths, and Optuna's sampler alone.

    python tools/benchmarks/tune_beside.py run few_images random --trials 8
    python tools/benchmarks/tune_beside.py run few_images sampler --trials 8
    python tools/benchmarks/tune_beside.py run few_images plans --trials 8
    python tools/benchmarks/tune_beside.py table

The two others draw a width for each group of channels by itself; what they draw is trained, judged
and timed as `tune` does it, and both may train whole what is promising. Results go into
tools/benchmarks/tune_beside.json; `table` writes into docs/measured/tune.md.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import click
import optuna
from kept_results import KeptResults
from measured_table import renew_page
from optuna.distributions import BaseDistribution, FloatDistribution
from tune import CASES, _task

from tflite_squeeze.network.loading import load_model
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.search import tune as searching
from tflite_squeeze.search import working, workshop
from tflite_squeeze.search.candidate import Candidate
from tflite_squeeze.search.choice import Choice
from tflite_squeeze.search.planning import MULTIPLE
from tflite_squeeze.search.tables import loss_text
from tflite_squeeze.techniques.narrowing.channels import channels_of
from tflite_squeeze.techniques.narrowing.config import Narrow

RESULTS = KeptResults(__file__)
WAYS = {"plans": "`tune`", "sampler": "Optuna's sampler alone", "random": "random widths"}
_LEAST = 0.1  # of a group's channels


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


@main.command()
@click.argument("network")
@click.argument("way", type=click.Choice(list(WAYS)))
@click.option("--trials", default=8, show_default=True)
@click.option("--seed", default=0, show_default=True)
def run(network: str, way: str, trials: int, seed: int) -> None:
    """Searches in one way."""
    name, asked = CASES[f"{network}-latency"]
    task = _task(name)
    working.IN_VAIN = trials  # each way has all of its trials
    if way != "plans":
        _without_plans(task.model, way)
    with tempfile.TemporaryDirectory() as folder:
        done = searching.tune(
            task.model,
            Tune(**asked, trials=trials, seed=seed, only=("narrow",)),
            task.data,
            Path(folder) / "search",
            on_progress=lambda line: click.echo(line, err=True),
        )
    record = done.record
    best, first = record.trial(record.best), record.trial(record.first)
    RESULTS.keep(
        f"{network} {way} {seed}",
        {
            "trials": sum(one.stage != "free" for one in record.trials),
            "first": first.costs["latency"],
            "best": best.costs["latency"],
            "text": best.candidate.text(),
            "loss": loss_text(best),
            "passing": sum(one.passed and one.stage != "free" for one in record.trials),
            "seconds": record.seconds,
        },
    )


def _without_plans(model: Any, way: str) -> None:
    """Puts a search over the width of each group in the place of one over a budget."""
    groups = [
        one.makers[0].name for one in channels_of(load_model(model).model).groups if not one.fixed
    ]
    drawn: dict[float, dict[str, float]] = {}

    class Blind(Choice):
        """Draws the widths of all groups."""

        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            if way == "random":
                self.study.sampler = optuna.samplers.RandomSampler(seed=given[0].seed)

        @property
        def space(self) -> dict[str, BaseDistribution]:
            return {name: FloatDistribution(_LEAST, 1.0) for name in groups}

        def _first_way(self) -> list[dict[str, Any]]:
            return []

        def _candidate(self, given: dict[str, Any]) -> Candidate:
            keep = round(sum(given.values()) / len(given), 9)  # a name for the widths
            drawn[keep] = {name: round(1 - share, 6) for name, share in given.items()}
            return self._base.model_copy(update={"keep": keep})

    def planned(_shop: Any, candidate: Candidate) -> Any:
        if not candidate.narrows:
            return workshop._Planned(None, {})
        layers = drawn[candidate.keep]
        return workshop._Planned(Narrow(ratio=0.0, layers=layers, multiple=MULTIPLE), {})

    searching.Choice = Blind
    workshop.Workshop._planned = planned
    workshop.Planning = lambda *_: SimpleNamespace(techniques=frozenset({"narrow"}), notes=[])


@main.command()
def table() -> None:
    """Writes the page's table."""
    lines = [
        "| network | seed | search | trials | of them passing | best | of the file without "
        "training | lost | took |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for key, row in RESULTS.known.items():
        network, way, seed = key.split()
        lines.append(
            f"| {network} | {seed} | {WAYS[way]} | {row['trials']} | {row['passing']} | "
            f"{row['best']:.1f} µs | {row['best'] / row['first']:.2f} | {row['loss']} | "
            f"{row['seconds'] / 60:.0f} min |"
        )
    renew_page("tune", "beside", "\n".join(lines))


if __name__ == "__main__":
    main()
