"""`prune` beside TFMOT's pruning: accuracy, the int8 file, and the cost of a training step."""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import prune as benchmark
import share
import tensorflow as tf
import tensorflow_model_optimization as tfmot

from tflite_squeeze.data.data import load_data
from tflite_squeeze.techniques.pruning.callback import PruningCallback
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.pruning.schedules import Polynomial
from tflite_squeeze.training.config import FineTune

from .arrays import Arrays, fashion_mnist
from .converter import int8_beside
from .results import Row, seeds_row

RATE_HERE, RATES_PEER = 5e-3, (1e-3, 5e-3)


def _own(model: Any, data: Arrays, zeros: float, budget: str, epochs: int, seed: int) -> Any:
    end = epochs * (len(data.x) // benchmark.BATCH) // 2
    schedule = Polynomial(frequency=50, end=end)
    config = Prune(sparsity=zeros, budget=budget, schedule=schedule)
    training = FineTune(epochs=epochs, learning_rate=RATE_HERE, seed=seed, jit=True)
    return prune(model, config, load_data(data.as_data), training).model


def pruned(
    network: str, zeros: float, epochs: int, seeds: int, *, quick: bool = False
) -> Iterator[Row | str]:
    """Accuracy of the pruned networks, each seed, and the first seed's int8 files."""
    data = fashion_mnist(quick=quick)
    ways: dict[str, Callable[[Any, int], Any]] = {
        budget: lambda model, seed, budget=budget: _own(model, data, zeros, budget, epochs, seed)
        for budget in ("global", "uniform")
    } | {
        f"{rate:g}": lambda model, seed, rate=rate: benchmark.tfmot_pruned(
            model, zeros, seed, data.x, data.y, epochs=epochs, rate=rate
        )
        for rate in RATES_PEER
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    models: dict[str, Any] = {}
    for seed in range(seeds):
        dense = benchmark.dense_model(network, "fashion-mnist", seed)
        for name, train in ways.items():
            model = train(dense, seed)
            models.setdefault(name, model)
            found[name].append(benchmark.accuracy(model, data.x_test, data.y_test))
    rate = max((f"{rate:g}" for rate in RATES_PEER), key=lambda name: median(found[name]))
    what = f"{network}, {zeros:.0%} zeros"
    yield f"{what}: dense {benchmark.accuracy(dense, data.x_test, data.y_test):.2%}; " + ", ".join(
        f"{name} {median(values):.2%}" for name, values in found.items()
    )
    for budget in ("global", "uniform"):
        yield seeds_row(f"{what}, {budget} here", "accuracy", found[budget], found[rate])
    yield from int8_beside(what, models["global"], models[rate], data, quick=quick)


def steps(network: str, repetitions: int, count: int) -> Iterator[Row]:
    """CPU time of a training step while masks move, every 100 steps and at every step."""
    one_thread()
    batches = step_batches(count)
    end = 7 * count

    def here(frequency: int) -> share.Build:
        config = Prune(sparsity=0.9, schedule=Polynomial(end=end, frequency=frequency))
        return lambda model: (model, [PruningCallback(config)])

    def peer(frequency: int) -> share.Build:
        return lambda model: (
            benchmark.wrapped(model, 0.9, end, frequency),
            [tfmot.sparsity.keras.UpdatePruningStep()],
        )

    for frequency in (100, 1):
        yield step_row(
            f"{network}, masks every {frequency} steps" if frequency > 1
            else f"{network}, masks every step",
            network, here(frequency), peer(frequency), batches, repetitions, count,
        )  # fmt: skip


def one_thread() -> None:
    """Keeps TensorFlow to one thread, whatever the environment says."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def step_batches(count: int) -> Any:
    """As many batches of training images, again and again."""
    x, y, _, _ = benchmark.arrays("fashion-mnist")
    examples = tf.data.Dataset.from_tensor_slices(
        (x[: benchmark.BATCH * count], y[: benchmark.BATCH * count])
    )
    return examples.cache().batch(benchmark.BATCH, drop_remainder=True).repeat().prefetch(4)


def step_row(
    what: str, network: str, here: share.Build, peer: share.Build, batches: Any,
    repetitions: int, count: int,
) -> Row:  # fmt: skip
    """Both sides' training step, in turns; the note says what a plain step takes."""
    times: dict[str, list[float]] = {"plain": [], "here": [], "peer": []}
    builds = {"plain": lambda model: (model, []), "here": here, "peer": peer}
    for seed in range(repetitions):
        for name, build in builds.items():
            seconds = share.step_seconds(network, build, batches, count, seed)
            times[name].append(1000 * seconds)
    plain = median(times["plain"])
    row = seeds_row(what, "step_ms", times["here"], times["peer"])
    return row.model_copy(
        update={
            "note": f"a plain step takes {plain:.2f} ms: here {row.here / plain:.2f} times, "
            f"the peer {row.peer / plain:.2f} times"
        }
    )
