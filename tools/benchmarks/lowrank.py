"""Low-rank factorization: data-aware beside plain SVD, and speed beside the whole network.

python tools/benchmarks/lowrank.py oneshot
python tools/benchmarks/lowrank.py train resnet_8 --seed 0
python tools/benchmarks/lowrank.py speed
python tools/benchmarks/lowrank.py refusals

`train` leaves a float and a record in the folder, for one network and seed; `speed` times every
network's files of all seeds beside the whole one, in turns in one child process, and prints the
table. Accuracy is on the full test set of Fashion-MNIST, which training does not see.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import json
import platform
import statistics
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
import tensorflow as tf

from tflite_squeeze import Convert, Factorize, FineTune, convert, factorize
from tflite_squeeze.data.data import load_data
from tflite_squeeze.data.named_sets import load_named_set
from tflite_squeeze.data.preprocessing import preprocess_array
from tflite_squeeze.runtime.machine import this_machine
from tflite_squeeze.runtime.turns import turn_by_turn

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = "fashion-mnist"

# Equal ranks for both sides; ResNet-8's and MobileNet's are shares of the full rank.
ONESHOT: dict[str, tuple[dict[str, Any], ...]] = {
    "lenet_300_100": ({"rank": 8}, {"rank": 16}, {"rank": 32}),
    "resnet_8": (
        {"ratio": 0.3, "scheme": "spatial"},
        {"ratio": 0.5, "scheme": "channel"},
        {"ratio": 0.6, "scheme": "tucker"},
    ),
    "mobilenet_v1_025": ({"ratio": 0.3}, {"ratio": 0.4}, {"ratio": 0.5}),
}

# Training images, evenly spread; None for all 60,000.
EXAMPLES: dict[str, int | None] = {"lenet_300_100": None, "resnet_8": 32_768}

# What pays under XNNPACK: 16 and 32 channels fill its vectors of 16 floats.
CONFIGS: dict[str, tuple[Factorize, FineTune]] = {
    "lenet_300_100": (
        Factorize(ranks={"dense_300": 64, "dense_100": 32}),
        FineTune(epochs=3, learning_rate=1e-4, jit=True),
    ),
    "resnet_8": (
        Factorize(
            ranks={"stack_1_conv_*": 16, "stack_2_conv_2": (16, 32), "stack_3_conv_2": 32},
            schemes={"stack_2_conv_2": "tucker"},
            scheme="spatial",
        ),
        FineTune(epochs=1, learning_rate=1e-3),
    ),
}


@click.group(help=__doc__)
def main() -> None:
    """The command line."""
    click.echo(
        f"{this_machine().cpu}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"tensorflow {tf.__version__}, keras {keras.__version__}\n"
    )


def network(name: str) -> Any:
    """A trained reference network."""
    return keras.models.load_model(REPOSITORY / "models" / f"{name}.keras", compile=False)


@main.command()
@click.option("--only", type=click.Choice(tuple(ONESHOT)), help="One network.")
@click.option("--setting", "chosen", type=int, help="One of its settings, from 0.")
def oneshot(only: str | None, chosen: int | None) -> None:
    """Accuracy at equal rank without any training."""
    click.echo("| network | ranks | MACs left | whole | plain SVD | data-aware |")
    click.echo("|---|---|---:|---:|---:|---:|")
    data = load_data(DATA)
    for name, settings in ONESHOT.items():
        if only not in (None, name):
            continue
        model = network(name)
        for setting in settings if chosen is None else settings[chosen : chosen + 1]:
            cells = []
            for aware in (False, True):
                config = Factorize(data_aware=aware, **setting)
                record = factorize(model, config, data, one_shot=True).record
                cells.append(f"{record.after:.2%}")
            shown = ", ".join(f"{key} {value}" for key, value in setting.items())
            click.echo(
                f"| {name} | {shown} | {record.macs_ratio:.0%} | {record.before:.2%} | "
                f"{cells[0]} | {cells[1]} |"
            )


def training_data(count: int | None) -> Any:
    """The set, or so many of its training images and the whole test part."""
    if count is None:
        return DATA
    data = load_named_set(DATA)
    chosen = np.linspace(0, len(data.x_train) - 1, count).astype(int)
    return {
        "x_train": preprocess_array(data.x_train[chosen], data.preprocessing),
        "y_train": data.y_train[chosen],
        "x_test": preprocess_array(data.x_test, data.preprocessing),
        "y_test": data.y_test,
    }


@main.command()
@click.argument("name", type=click.Choice(tuple(CONFIGS)))
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--epochs", type=int, help="Rather than the benchmark's own.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("lowrank"))
def train(name: str, seed: int, epochs: int | None, folder: Path) -> None:
    """Factorizes and fine-tunes one network with one seed."""
    config, training = CONFIGS[name]
    changes: dict[str, Any] = {"seed": seed}
    if epochs is not None:
        changes["epochs"] = epochs
    model = network(name)
    data = training_data(EXAMPLES[name])
    made, record = factorize(model, config, data, training.model_copy(update=changes))
    folder.mkdir(parents=True, exist_ok=True)
    for stem, one in ((f"{name}_{seed}", made), (name, model)):
        tflite = convert(one, Convert(), verification=None).tflite
        (folder / f"{stem}.tflite").write_bytes(tflite)
    (folder / f"{name}_{seed}.json").write_text(record.model_dump_json(indent=2) + "\n")
    click.echo(f"{name}, seed {seed}: {record.before:.2%} → {record.after:.2%}, "
               f"{record.seconds:.0f} s")  # fmt: skip


@main.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path("lowrank"))
def speed(folder: Path) -> None:
    """Times of all files in turns, and accuracies of the same models."""
    click.echo("| network | ranks | whole (us) | factorized (us) | times as fast | bytes | "
               "accuracy: whole | factorized | points |")  # fmt: skip
    click.echo("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in CONFIGS:
        records = {
            path.stem: json.loads(path.read_text())
            for path in sorted(folder.glob(f"{name}_[0-9]*.json"))
        }
        if not records:
            continue
        files = {stem: (folder / f"{stem}.tflite").read_bytes() for stem in (name, *records)}
        times = turn_by_turn(files)
        ratios = [float(np.median(times[name] / times[stem])) for stem in records]
        before = next(iter(records.values()))["before"]
        after = [record["after"] for record in records.values()]
        layers = next(iter(records.values()))["layers"]
        ranks = ", ".join(f"{one['layer']} {'+'.join(map(str, one['ranks']))}" for one in layers)
        fastest = min(float(times[stem].min()) for stem in records)
        click.echo(
            f"| {name} | {ranks} | {times[name].min():.1f} | {fastest:.1f} | "
            f"{statistics.median(ratios):.2f} ({', '.join(f'{one:.2f}' for one in ratios)}) | "
            f"{len(files[name]):,} → {len(files[f'{name}_0']):,} | {before:.2%} | "
            f"{statistics.median(after):.2%} ({', '.join(f'{one:.2%}' for one in after)}) | "
            f"{100 * (statistics.median(after) - before):+.2f} |"
        )


@main.command()
@click.option("--only", type=int, help="One case, from 0.")
def refusals(only: int | None) -> None:
    """What does not pay: int8 and tiny layers, as `--measure` finds it."""
    click.echo("| network | file | layer | scheme | rank | whole → split (us) | ratio | |")
    click.echo("|---|---|---|---|---:|---:|---:|---|")
    cases = (
        ("lenet_300_100", "int8", {"rank": 32}),
        ("resnet_8", "none", {"ratio": 0.3}),
        ("resnet_8", "int8", {"ratio": 0.3}),
        ("mobilenet_v1_025", "int8", {"ratio": 0.4, "only": ("block_*[369]_pointwise",)}),
    )
    for name, quantize, setting in cases if only is None else cases[only : only + 1]:
        config = Factorize(measure=quantize, data_aware=False, **setting)
        record = factorize(network(name), config).record
        kept = [(split, "kept") for split in record.layers]
        refused = [(refusal.split, "refused") for refusal in record.refused]
        for split, verdict in (*kept, *refused):
            if split.time is None:
                continue
            click.echo(
                f"| {name} | {quantize} | {split.layer} | {split.scheme} | {split.ranks[0]} | "
                f"{split.time.whole_us:.1f} → {split.time.split_us:.1f} | "
                f"{split.time.ratio:.2f} | {verdict} |"
            )
        if record.file_time is not None:
            click.echo(f"| {name} | {quantize} | whole file | | | "
                       f"{record.file_time.whole_us:.1f} → {record.file_time.split_us:.1f} | "
                       f"{record.file_time.ratio:.2f} | |")  # fmt: skip


if __name__ == "__main__":
    main()
