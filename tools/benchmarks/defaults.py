"""Candidates for the defaults of techniques, one setting at a time, on three sizes of data.

python tools/benchmarks/defaults.py          what is not measured yet, and the page
python tools/benchmarks/defaults.py --page   docs/measured/defaults.md alone

Two networks that were trained on whole sets are compressed and recovered on 500, 5,000 and 20,000
labelled examples of them, with 600 steps; accuracy is that on the full test sets.
"""

import gc
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import keras
import numpy as np
from measured_table import renew_page
from named_arrays import arrays

from tflite_squeeze import Cluster, Factorize, FineTune, Prune, cluster, factorize, prune
from tflite_squeeze.files.files import write_atomically
from tflite_squeeze.schedules import Constant, Exponential, OneCycle, Polynomial

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "defaults.json"
MODELS = HERE.parents[1] / "build" / "defaults"
VERBS = {"prune": prune, "cluster": cluster, "factorize": factorize}
SETS = {"LeNet-300-100": "mnist", "small CNN": "fashion-mnist"}
SIZES = {500: 32, 5_000: 64, 20_000: 128}  # examples → batch
STEPS, EPOCHS = 600, 3
BUDGETS, AT_ONCE = ("uniform", "erk", "global"), (0.5, 0.7, 0.9)
ZEROS = {"LeNet-300-100": 0.95, "small CNN": 0.9}


class Setting(NamedTuple):
    """One candidate.

    Attributes:
        table: whose row it is.
        label: of the row.
        technique: the verb's name.
        options: of the technique's config; for pruning "end" and "frequency" are the schedule's.
        rate: learning rate.
    """

    table: str
    label: str
    technique: str
    options: dict[str, Any]
    rate: float = 1e-3


def settings() -> Iterator[Setting]:
    """All candidates, those that matter most first."""
    usual: dict[str, Any] = {"frequency": 10, "end": 0.6, "budget": "uniform"}
    for change in (
        *({"frequency": frequency} for frequency in (1, 10, 50, 100)),
        *({"end": end} for end in (0.5, 0.75, 1.0)),
    ):
        options = {**usual, **change}
        label = f"every {options['frequency']} steps until {options['end']:g} of the training"
        yield Setting("pruning: schedule", label, "prune", options)
    for budget in ("global", "erk"):
        options = {**usual, "budget": budget}
        yield Setting("pruning: budget and protection", f"budget {budget}", "prune", options)
    for kept in ("first", "last"):
        options = {**usual, "protected": kept}
        yield Setting("pruning: budget and protection", f"{kept} layer protected", "prune", options)
    for label, change in (
        ("assigned once, optimal values", {"reassign": 0}),
        ("assigned anew every 10 steps", {"reassign": 10}),
        ("assigned anew every 100 steps", {"reassign": 100}),
        ("assigned once, evenly spaced values", {"reassign": 0, "init": "linear"}),
    ):
        yield Setting("sharing: 8 values", label, "cluster", {"clusters": 8, **change})
    for label, change in (
        ("assigned once", {"reassign": 0}),
        ("assigned anew every 10 steps", {"reassign": 10}),
    ):
        yield Setting("sharing: 16 values", label, "cluster", {"clusters": 16, **change})
    for kind in ("constant", "exponential", "one-cycle"):
        yield Setting("pruning: shape", kind, "prune", {**usual, "kind": kind})
    yield from _other_settings(usual)


def _other_settings(usual: dict[str, Any]) -> Iterator[Setting]:
    for label, change in (
        ("cheapest scheme, 512 samples", {}),
        ("128 samples", {"samples": 128}),
        ("by the weights alone", {"data_aware": False}),
        ("channel scheme", {"scheme": "channel"}),
    ):
        table = "low rank: 15 % of the rank"
        yield Setting(table, label, "factorize", {"ratio": 0.15, **change})
    for rate in (3e-4, 3e-3):
        yield Setting("pruning: rate", f"rate {rate:g}", "prune", usual, rate)


def trained(network: str) -> Any:
    """A network as its owner trained it on the whole set; trained once."""
    path = MODELS / f"{network.split()[0].lower()}.keras"
    if path.exists():
        return keras.models.load_model(path)
    keras.utils.set_random_seed(0)
    layers = keras.layers
    x, y, *_ = arrays(SETS[network])
    dense = [layers.Dense(300, "relu"), layers.Dense(100, "relu")]
    convolutions = [
        made
        for filters in (16, 32, 64)
        for made in (
            layers.Conv2D(filters, 3, 2, "same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
        )
    ]
    body = (
        [layers.Flatten(), *dense]
        if network.startswith("LeNet")
        else [*convolutions, layers.Flatten()]
    )
    model = keras.Sequential([layers.Input(x.shape[1:]), *body, layers.Dense(10, "softmax")])
    rate = keras.optimizers.schedules.CosineDecay(2e-3, 10 * 469)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(x, y, 128, 10, verbose=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)
    return model


def config_of(one: Setting, model: Any, network: str) -> Any:
    """The technique's config of a setting."""
    options = dict(one.options)
    if one.technique == "cluster":
        return Cluster(**options)
    if one.technique == "factorize":
        return Factorize(**options)
    kinds: dict[str, Any] = {
        "constant": Constant,
        "exponential": Exponential,
        "one-cycle": OneCycle,
    }
    schedule = kinds.get(options.pop("kind", ""), Polynomial)(
        end=round(options.pop("end") * STEPS), frequency=options.pop("frequency")
    )
    zeros, kernels = ZEROS[network], [layer for layer in model.layers if hasattr(layer, "kernel")]
    kept = {"first": kernels[:1], "last": kernels[-1:]}.get(options.pop("protected", ""), [])
    whole = sum(layer.kernel.shape.num_elements() for layer in kernels)
    rest = whole - sum(layer.kernel.shape.num_elements() for layer in kept)
    # The same zeros in all, fewer where the rest does not have so many.
    options["sparsity"] = min(0.99, zeros * whole / rest)
    return Prune(schedule=schedule, protect=tuple(layer.name for layer in kept), **options)


def measured(one: Setting, network: str, size: int, seed: int) -> tuple[float, float]:
    """(accuracy on the test set, seconds) of one run."""
    started = time.perf_counter()
    x, y, x_test, y_test = arrays(SETS[network])
    some = np.random.default_rng(seed).permutation(len(x))[:size]
    data = {"x_train": x[some], "y_train": y[some], "x_test": x_test, "y_test": y_test}
    model = trained(network)
    config = config_of(one, model, network)
    numbers = {"steps": STEPS, "epochs": EPOCHS, "batch": SIZES[size], "learning_rate": one.rate}
    how = FineTune(**numbers, seed=seed)
    _, record = VERBS[one.technique](model, config, data, how)
    keras.backend.clear_session()
    gc.collect()
    return record.after, time.perf_counter() - started


def pruned_at_once(results: dict[str, list[float]]) -> None:
    """ResNet-8 pruned without training, by budget; statistics estimated again on 512 samples."""
    for budget in BUDGETS:
        for zeros in AT_ONCE:
            key = f"pruning at once | budget {budget} | ResNet-8 | {zeros}"
            if key in results:
                continue
            config = Prune(sparsity=zeros, budget=budget)
            path = HERE.parents[1] / "models" / "resnet_8.keras"
            _, record = prune(path, config, "fashion-mnist", one_shot=True)
            results[key] = [round(record.after, 4)]
            save(results)
            click.echo(f"{key}: {record.after:.2%}")


def table_at_once(results: dict[str, list[float]]) -> str:
    """What `pruned_at_once` found, in Markdown."""
    lines = [
        "| pruning at once, ResNet-8 | 50 % zeros | 70 % zeros | 90 % zeros |",
        "|---|---:|---:|---:|",
    ]
    for budget in BUDGETS:
        keys = [f"pruning at once | budget {budget} | ResNet-8 | {zeros}" for zeros in AT_ONCE]
        cells = [f"{100 * mean(results[key]):.2f}" if key in results else "" for key in keys]
        lines.append(f"| budget {budget} | {' | '.join(cells)} |")
    return "\n".join(lines)


def key_of(one: Setting, network: str, size: int) -> str:
    """The line of the results."""
    return f"{one.table} | {one.label} | {network} | {size}"


def saved() -> dict[str, list[float]]:
    """What was measured: accuracies by seed."""
    return json.loads(RESULTS.read_bytes()) if RESULTS.exists() else {}


def save(results: dict[str, list[float]]) -> None:
    """Writes one line for each setting."""
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(results[key])}" for key in results)
    write_atomically(RESULTS, f"{{\n{lines}\n}}\n".encode(), force=True)


def tables(results: dict[str, list[float]]) -> str:
    """All tables in Markdown: accuracy in percent, the mean over seeds."""
    columns = [(network, size) for network in SETS for size in SIZES]
    parts: dict[str, list[str]] = {}
    for one in settings():
        found = [results.get(key_of(one, *column), []) for column in columns]
        if any(found):
            cells = [f"{100 * mean(each):.2f}" if each else "" for each in found]
            parts.setdefault(one.table, []).append(f"| {one.label} | {' | '.join(cells)} |")
    heads = " | ".join(f"{network}, {size:,}" for network, size in columns)
    head = f" | {heads} |\n|---|{'---:|' * len(columns)}"
    return "\n\n".join("\n".join([f"| {name}{head}", *rows]) for name, rows in parts.items())


@click.command(help=__doc__)
@click.option("--page", is_flag=True, help="Write the page alone.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--only", multiple=True, help="Only what has this text in its line of the results.")
def main(page: bool, seeds: int, only: tuple[str, ...]) -> None:
    """Measures what is missing, seed by seed."""
    results = saved()
    runs = [
        (seed, one, network, size)
        for seed in range(0 if page else seeds)
        for one in settings()
        for network in SETS
        for size in SIZES
        if all(text in key_of(one, network, size) for text in only)
        if len(results.get(key_of(one, network, size), ())) <= seed
    ]
    for number, (seed, one, network, size) in enumerate(runs, 1):
        accuracy, seconds = measured(one, network, size, seed)
        key = key_of(one, network, size)
        results.setdefault(key, []).append(round(accuracy, 4))
        save(results)
        click.echo(f"{number} of {len(runs)}: {key}: {accuracy:.2%} in {seconds:.0f} s")
    if not page and not only:
        pruned_at_once(results)
    renew_page("defaults", "defaults", f"{tables(results)}\n\n{table_at_once(results)}")


if __name__ == "__main__":
    main()
