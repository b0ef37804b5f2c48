"""Parameter sharing here and in TensorFlow Model Optimization, in one run; and the smallest files.

python tools/benchmarks/share.py steps
python tools/benchmarks/share.py accuracy --only lenet_5 --seed 0 --folder runs
python tools/benchmarks/share.py sparsity
python tools/benchmarks/share.py table --folder runs
python tools/benchmarks/share.py chain lenet_300_100 --folder runs

Every part prints a Markdown table and names machine and versions. TFMOT works on tf_keras only,
so both sides share values in the same tf_keras networks. `accuracy` writes a file per run, so that
it can be stopped and goes on; `table` collects them. `chain` (prune, share, int8 on MNIST) keeps
the model of every stage in its folder.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # TFMOT fails to import without it
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import json
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
from tensorflow_model_optimization.python.core.clustering.keras.experimental import (
    cluster as experimental,
)

sys.path.insert(0, str(Path(__file__).resolve().parent))

from named_arrays import arrays
from prune import BATCH, LOSS, StepTimes, accuracy, architectures, dense_model
from share_chain import chain

from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.sharing.callback import ClusteringCallback
from tflite_squeeze.techniques.sharing.config import Cluster

Build = Callable[[Any], tuple[Any, list[Any]]]
KMEANS = tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS


@click.group(help=__doc__)
def main() -> None:
    """The command line."""
    click.echo(
        f"{os.uname().machine}, {os.cpu_count()} processors, tensorflow {tf.__version__}, "
        f"tf_keras {tf_keras.__version__}, tfmot {tfmot.__version__}\n"
    )


def theirs(model: Any, clusters: int, *, sparsity: bool = False) -> Any:
    """A model under TFMOT's wrappers, as its guide has it."""
    if sparsity:
        return experimental.cluster_weights(model, clusters, KMEANS, preserve_sparsity=True)
    return tfmot.clustering.keras.cluster_weights(model, clusters, KMEANS)


class CpuTimes(StepTimes):
    """Processor seconds per step of each epoch, which a busy machine changes little."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the clock."""
        self.started = time.process_time()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stops it."""
        self.seconds.append((time.process_time() - self.started) / self.steps)


@main.command()
@click.option("--network", default="lenet_300_100", show_default=True)
@click.option("--repetitions", type=int, default=1, show_default=True)
@click.option("--steps", "count", type=int, default=40, show_default=True)
@click.option("--clusters", type=int, default=16, show_default=True)
def steps(network: str, repetitions: int, count: int, clusters: int) -> None:
    """Processor time of a training step over that of a plain one, on one thread."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    x, y, _, _ = arrays("fashion-mnist")
    batches = tf.data.Dataset.from_tensor_slices((x[: BATCH * count], y[: BATCH * count]))
    batches = batches.cache().batch(BATCH, drop_remainder=True).repeat().prefetch(4)

    def ours(reassign: int) -> Build:
        config = Cluster(clusters=clusters, reassign=reassign, init="density")
        return lambda model: (model, [ClusteringCallback(config)])

    ways: dict[str, Build] = {
        "plain": lambda model: (model, []),
        "here": ours(0),
        "here, assigned anew every 50 steps": ours(50),
        "TFMOT": lambda model: (theirs(model, clusters), []),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for seed in range(repetitions):
        for name, build in ways.items():
            seconds[name].append(step_seconds(network, build, batches, count, seed))
    click.echo("| way | CPU ms of a step, fastest epoch | over a plain step |\n|---|---:|---:|")
    plain = min(seconds["plain"])
    for name, values in seconds.items():
        click.echo(f"| {name} | {1000 * min(values):.2f} | {min(values) / plain:.2f} |")


def step_seconds(network: str, build: Build, batches: Any, count: int, seed: int) -> float:
    """Processor seconds of a training step, the least of five epochs after one that compiles."""
    tf_keras.utils.set_random_seed(seed)
    model, callbacks = build(getattr(architectures, network)(tf_keras))
    model.compile("adam", LOSS)
    times = CpuTimes(count)
    model.fit(batches, steps_per_epoch=count, epochs=6, verbose=0, callbacks=[*callbacks, times])
    return min(times.seconds[1:])  # the first epoch compiles


NETWORKS = ("lenet_5", "mobilenet_v1_025")
COUNTS = (16, 32)
RATES = {"here": (1e-3, 3e-3), "TFMOT": (1e-4, 1e-3)}


@main.command(name="accuracy")
@click.option("--only", type=click.Choice(NETWORKS), multiple=True)
@click.option("--seed", "seeds", type=int, multiple=True, default=(0, 1, 2), show_default=True)
@click.option("--steps", "count", type=int, default=150, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True)
def accuracy_command(
    only: tuple[str, ...], seeds: tuple[int, ...], count: int, folder: Path
) -> None:
    """Accuracy on Fashion-MNIST's test set after equally many steps from the trained weights."""
    folder.mkdir(parents=True, exist_ok=True)
    x, y, x_test, y_test = arrays("fashion-mnist")
    for name in only or NETWORKS:
        for clusters in COUNTS:
            for seed in seeds:
                for side, rates in RATES.items():
                    for rate in rates:
                        path = folder / f"{name}-{clusters}-{seed}-{side}-{rate:g}.json"
                        if path.exists():
                            continue
                        chosen = np.random.default_rng(seed).permutation(len(x))[: BATCH * count]
                        started = time.perf_counter()
                        model = shared_model(name, clusters, side, rate, seed, x[chosen], y[chosen])
                        seconds = time.perf_counter() - started
                        value = {
                            "accuracy": accuracy(model, x_test, y_test),
                            "values": value_counts(model),
                            "seconds": seconds,
                        }
                        path.write_text(json.dumps(value | {"steps": count}))
                        click.echo(f"{path.stem}: {value['accuracy']:.2%}")


def shared_model(
    name: str, clusters: int, side: str, rate: float, seed: int, x: Any, y: Any
) -> Any:
    """A reference network that shares values after one epoch on these images, by one side."""
    tf_keras.utils.set_random_seed(seed)
    model = dense_model(name, "fashion-mnist", seed)
    callbacks = []
    if side == "here":
        callbacks = [ClusteringCallback(Cluster(clusters=clusters, seed=seed))]
    else:
        model = theirs(model, clusters)
    decay = tf_keras.optimizers.schedules.CosineDecay(rate, len(x) // BATCH)
    model.compile(tf_keras.optimizers.Adam(decay), LOSS)
    model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0, callbacks=callbacks)
    return model if side == "here" else tfmot.clustering.keras.strip_clustering(model)


def value_counts(model: Any) -> list[int]:
    """How many distinct values each kernel holds."""
    return [len(np.unique(np.asarray(target.variable))) for target in select(model).targets]


@main.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True)
def table(folder: Path) -> None:
    """The table of all runs that `accuracy` left; each side at the best of its learning rates."""
    click.echo(
        "| network | values | here, median (each seed), rate | TFMOT, median (each seed), rate |"
    )
    click.echo("|---|---:|---:|---:|")
    for name in NETWORKS:
        for clusters in COUNTS:
            cells = []
            for side, rates in RATES.items():
                found = {rate: _accuracies(folder, name, clusters, side, rate) for rate in rates}
                best = max(
                    (rate for rate in rates if found[rate]),
                    key=lambda rate: statistics.median(found[rate]),
                )
                values = found[best]
                each = ", ".join(f"{value:.2%}" for value in values)
                cells.append(f"{statistics.median(values):.2%} ({each}), {best:g}")
            click.echo(f"| {name} | {clusters} | {' | '.join(cells)} |")


def _accuracies(folder: Path, name: str, clusters: int, side: str, rate: float) -> list[float]:
    paths = sorted(folder.glob(f"{name}-{clusters}-*-{side}-{rate:g}.json"))
    return [json.loads(path.read_text())["accuracy"] for path in paths]


@main.command(name="sparsity")
@click.option("--zeros", type=float, default=0.9, show_default=True)
@click.option("--steps", "count", type=int, default=60, show_default=True)
@click.option("--rate", type=float, default=1e-2, show_default=True, help="Here; TFMOT's is 1e-3.")
@click.option("--reassign", type=int, default=10, show_default=True)
def sparsity_command(zeros: float, count: int, rate: float, reassign: int) -> None:
    """Zeros and values of a pruned LeNet-300-100 after sharing, here and in TFMOT."""
    x, y, x_test, y_test = arrays("fashion-mnist")
    x, y = x[: BATCH * count], y[: BATCH * count]
    pruned, _ = prune(dense_model("lenet_300_100", "fashion-mnist", 0), Prune(sparsity=zeros))
    click.echo("| | zeros | values other than 0 | accuracy |\n|---|---:|---:|---:|")
    _show("pruned", pruned, x_test, y_test)
    own = {"here": 0, "here, assigned anew": reassign}
    for side in (*own, "TFMOT, preserve_sparsity", "TFMOT"):
        tf_keras.utils.set_random_seed(0)
        model = tf_keras.models.clone_model(pruned)
        model.set_weights(pruned.get_weights())
        callbacks = []
        if side in own:
            callbacks = [ClusteringCallback(Cluster(clusters=16, reassign=own[side]))]
        else:
            model = theirs(model, 16, sparsity="preserve" in side)
        model.compile(tf_keras.optimizers.Adam(rate if side in own else 1e-3), LOSS)
        model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0, callbacks=callbacks)
        if side not in own:
            model = tfmot.clustering.keras.strip_clustering(model)
        _show(side, model, x_test, y_test)


def _show(side: str, model: Any, x: Any, y: Any) -> None:
    kernels = [np.asarray(target.variable) for target in select(model).targets]
    zeros = ", ".join(f"{int(np.sum(kernel == 0)):,}" for kernel in kernels)
    values = ", ".join(f"{len(np.unique(kernel[kernel != 0])):,}" for kernel in kernels)
    click.echo(f"| {side} | {zeros} | {values} | {accuracy(model, x, y):.2%} |")


main.add_command(chain)

if __name__ == "__main__":
    main()
