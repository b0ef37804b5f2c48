"""Pruning here and in TensorFlow Model Optimization, in one run: step time, accuracy, one-shot.

python tools/benchmarks/prune.py steps
python tools/benchmarks/prune.py accuracy --seeds 3
python tools/benchmarks/prune.py oneshot

Every part prints a Markdown table and names machine and versions. TFMOT works on tf_keras only,
so both sides prune the same tf_keras networks.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # TFMOT fails to import without it
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import architectures
from named_arrays import arrays

from tflite_squeeze.data.data import load_data
from tflite_squeeze.techniques.pruning.callback import PruningCallback
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.pruning.schedules import Polynomial
from tflite_squeeze.training.config import FineTune

REPOSITORY = Path(__file__).resolve().parents[2]
BATCH = 128
EPOCHS = 8
XLA = ("lenet_300_100",)  # where a compiled step is faster; convolutions take twice as long
LOSS = "sparse_categorical_crossentropy"


@click.group(help=__doc__)
def main() -> None:
    """The command line."""
    click.echo(
        f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"tensorflow {tf.__version__}, tf_keras {tf_keras.__version__}, "
        f"tfmot {tfmot.__version__}\n"
    )


def wrapped(model: Any, sparsity: float, end: int, frequency: int) -> Any:
    """A model under TFMOT's wrappers, with its cubic schedule."""
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=sparsity,
        begin_step=0,
        end_step=end,
        frequency=frequency,
    )
    return tfmot.sparsity.keras.prune_low_magnitude(model, pruning_schedule=schedule)


class StepTimes(tf_keras.callbacks.Callback):
    """Seconds per step of each epoch."""

    _supports_tf_logs = True

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the clock."""
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stops it."""
        self.seconds.append((time.perf_counter() - self.started) / self.steps)


@main.command()
@click.option("--repetitions", type=int, default=5, show_default=True)
@click.option("--steps", "count", type=int, default=150, show_default=True)
def steps(repetitions: int, count: int) -> None:
    """Step time of LeNet-300-100 over a plain step, while the schedule runs."""
    x, y, _, _ = arrays("fashion-mnist")
    batches = tf.data.Dataset.from_tensor_slices((x[: BATCH * count], y[: BATCH * count]))
    batches = batches.cache().batch(BATCH, drop_remainder=True).repeat().prefetch(4)

    def timed(build: Callable[[Any], tuple[Any, list[Any]]], seed: int) -> float:
        tf_keras.utils.set_random_seed(seed)
        model, callbacks = build(architectures.lenet_300_100(tf_keras))
        model.compile("adam", LOSS)
        times = StepTimes(count)
        model.fit(
            batches, steps_per_epoch=count, epochs=5, verbose=0, callbacks=[*callbacks, times]
        )
        return min(times.seconds[1:])  # the first epoch compiles

    end = 5 * count + 1

    def ours(frequency: int) -> Callable[[Any], tuple[Any, list[Any]]]:
        config = Prune(sparsity=0.9, schedule=Polynomial(end=end, frequency=frequency))
        return lambda model: (model, [PruningCallback(config)])

    def theirs(frequency: int) -> Callable[[Any], tuple[Any, list[Any]]]:
        return lambda model: (
            wrapped(model, 0.9, end, frequency),
            [tfmot.sparsity.keras.UpdatePruningStep()],
        )

    ways: dict[str, Callable[[Any], tuple[Any, list[Any]]]] = {
        "plain": lambda model: (model, []),
        "ours, frequency 100": ours(100),
        "ours, frequency 1": ours(1),
        "TFMOT, frequency 100": theirs(100),
        "TFMOT, frequency 1": theirs(1),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for seed in range(repetitions):
        for name, build in ways.items():
            seconds[name].append(timed(build, seed))
    click.echo("| way | step (ms), fastest epoch | over a plain step |\n|---|---:|---:|")
    plain = min(seconds["plain"])
    for name, values in seconds.items():
        click.echo(f"| {name} | {1000 * min(values):.2f} | {min(values) / plain:.2f} |")


def dense_model(name: str, dataset: str, seed: int) -> Any:
    """A trained dense network: the reference one on Fashion-MNIST, else trained here."""
    model = getattr(architectures, name)(tf_keras)
    if dataset == "fashion-mnist":
        import keras

        path = REPOSITORY / "models" / f"{name}.keras"
        model.set_weights(keras.models.load_model(path, compile=False).get_weights())
        return model
    tf_keras.utils.set_random_seed(seed)
    x, y, _, _ = arrays(dataset)
    rate = tf_keras.optimizers.schedules.CosineDecay(1e-3, 12 * len(x) // BATCH)
    model.compile(tf_keras.optimizers.Adam(rate), LOSS, jit_compile=name in XLA)
    model.fit(x, y, batch_size=BATCH, epochs=12, verbose=0)
    return model


def accuracy(model: Any, x: Any, y: Any) -> float:
    """Share of examples that a model gets right."""
    return float(np.mean(np.argmax(model.predict(x, batch_size=500, verbose=0), axis=1) == y))


# LeNet-5's convolutions have few weights that each work at every position: a ranking over the whole
# network empties them, so they keep more, and the large Dense layer less.
LENET_5_LAYERS = {"conv_1": 0.6, "conv_2": 0.94, "dense_500": 0.99408, "probabilities": 0.95}
CASES: tuple[tuple[str, str, float, dict[str, float], float], ...] = (
    ("lenet_300_100", "fashion-mnist", 0.95, {}, 5e-3),
    ("lenet_300_100", "fashion-mnist", 0.98, {}, 5e-3),
    ("lenet_300_100", "mnist", 0.95, {}, 5e-3),
    ("lenet_300_100", "mnist", 0.98, {}, 5e-3),
    ("lenet_5", "mnist", 0.99, LENET_5_LAYERS, 2e-3),
)


@main.command(name="accuracy")
@click.option("--seeds", type=int, default=3, show_default=True)
@click.option("--first-seed", type=int, default=0, show_default=True)
@click.option("--only", help="Cases whose name holds this text.")
def accuracy_command(seeds: int, first_seed: int, only: str | None) -> None:
    """Accuracy on the full test set after 8 epochs from the trained weights."""
    click.echo(
        "| network | set | zeros | dense | ours, median (each seed) | TFMOT, median (each seed) |"
    )
    click.echo("|---|---|---:|---:|---:|---:|")
    for name, dataset, sparsity, layers, rate in CASES:
        if only and only not in f"{name} {dataset} {sparsity}":
            continue
        x, y, x_test, y_test = arrays(dataset)
        results: dict[str, list[float]] = {"dense": [], "ours": [], "theirs": []}
        for seed in range(first_seed, first_seed + seeds):
            model = dense_model(name, dataset, seed)
            results["dense"].append(accuracy(model, x_test, y_test))
            end = EPOCHS * (len(x) // BATCH) // 2
            schedule = Polynomial(frequency=50, end=end)
            config = Prune(sparsity=sparsity, budget="global", schedule=schedule, layers=layers)
            training = FineTune(epochs=EPOCHS, learning_rate=rate, seed=seed, jit=name in XLA)
            pruned, _ = prune(model, config, load_data(dataset), training)
            results["ours"].append(accuracy(pruned, x_test, y_test))
            theirs = tfmot_pruned(model, sparsity, seed, x, y, epochs=EPOCHS, rate=1e-3)
            results["theirs"].append(accuracy(theirs, x_test, y_test))
        shown = {
            side: f"{statistics.median(values):.2%} ({', '.join(f'{v:.2%}' for v in values)})"
            for side, values in results.items()
        }
        click.echo(
            f"| {name} | {dataset} | {sparsity:.0%} | {statistics.median(results['dense']):.2%} | "
            f"{shown['ours']} | {shown['theirs']} |"
        )


def tfmot_pruned(
    model: Any, sparsity: float, seed: int, x: Any, y: Any, *, epochs: int, rate: float
) -> Any:
    """A model pruned by TFMOT as its guide has it, stripped of its wrappers."""
    tf_keras.utils.set_random_seed(seed)
    copied = tf_keras.models.clone_model(model)
    copied.set_weights(model.get_weights())
    total = epochs * (len(x) // BATCH)
    theirs = wrapped(copied, sparsity, int(0.6 * total), 100)
    theirs.compile(tf_keras.optimizers.Adam(rate), LOSS)
    theirs.fit(
        x,
        y,
        batch_size=BATCH,
        epochs=epochs,
        verbose=0,
        callbacks=[tfmot.sparsity.keras.UpdatePruningStep()],
    )
    return tfmot.sparsity.keras.strip_pruning(theirs)


@main.command()
@click.option("--sparsity", type=float, default=0.5, show_default=True)
@click.option("--seeds", type=int, default=3, show_default=True)
def oneshot(sparsity: float, seeds: int) -> None:
    """Pruning at once, without training: Wanda, Taylor and random against magnitude."""
    import keras

    scores = ("magnitude", "wanda", "taylor", "random")
    click.echo(f"| network | dense | {' | '.join(scores)} |\n|---|---:|{'---:|' * len(scores)}")
    _, _, x_test, y_test = arrays("fashion-mnist")
    data = load_data("fashion-mnist")
    for name in ("resnet_8", "mobilenet_v1_025"):
        model = keras.models.load_model(REPOSITORY / "models" / f"{name}.keras", compile=False)
        cells = []
        for score in scores:
            values = []
            for seed in range(seeds if score == "random" else 1):
                config = Prune(sparsity=sparsity, score=score, seed=seed)
                pruned, _ = prune(model, config, data, one_shot=True)
                values.append(accuracy(pruned, x_test, y_test))
            cells.append(f"{statistics.median(values):.2%}")
        click.echo(f"| {name} | {accuracy(model, x_test, y_test):.2%} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
