"""`cluster` beside TFMOT's weight clustering: accuracy, the int8 file, a training step."""

from collections.abc import Iterator
from statistics import median
from typing import Any

import numpy as np
import prune as benchmark
import share

from tflite_squeeze.techniques.sharing.callback import ClusteringCallback
from tflite_squeeze.techniques.sharing.config import Cluster

from .arrays import fashion_mnist
from .converter import int8_beside
from .pruning import one_thread, step_batches, step_row
from .results import Row, seeds_row

RATE_HERE, RATES_PEER = 3e-3, (1e-4, 1e-3)


def shared(
    network: str, clusters: int, seeds: int, count: int, *, quick: bool = False
) -> Iterator[Row | str]:
    """Accuracy after as many steps, each seed, and the first seed's int8 files."""
    data = fashion_mnist(quick=quick)
    sides = {"here": ("here", RATE_HERE)} | {f"{rate:g}": ("TFMOT", rate) for rate in RATES_PEER}
    found: dict[str, list[float]] = {name: [] for name in sides}
    models: dict[str, Any] = {}
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(data.x))[: benchmark.BATCH * count]
        for name, (side, rate) in sides.items():
            model = share.shared_model(
                network, clusters, side, rate, seed, data.x[order], data.y[order]
            )
            models.setdefault(name, model)
            found[name].append(benchmark.accuracy(model, data.x_test, data.y_test))
    rate = max((f"{rate:g}" for rate in RATES_PEER), key=lambda name: median(found[name]))
    what = f"{network}, {clusters} values"
    yield f"{what}: " + ", ".join(f"{name} {median(each):.2%}" for name, each in found.items())
    yield seeds_row(what, "accuracy", found["here"], found[rate])
    mine, theirs = (max(share.value_counts(models[name])) for name in ("here", rate))
    yield Row(what=what, measure="values", here=mine, peer=theirs)
    yield from int8_beside(what, models["here"], models[rate], data, quick=quick)


def steps(network: str, repetitions: int, count: int, clusters: int) -> Iterator[Row]:
    """CPU time of a training step on shared values."""
    one_thread()
    config = Cluster(clusters=clusters, init="density")
    yield step_row(
        f"{network}, {clusters} values", network,
        lambda model: (model, [ClusteringCallback(config)]),
        lambda model: (share.theirs(model, clusters), []),
        step_batches(count), repetitions, count,
    )  # fmt: skip
