"""The smallest files for MNIST: prune, share, int8; `python tools/benchmarks/share.py chain`."""

import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import tf_keras
from prune import dense_model

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.data.data import load_data
from tflite_squeeze.data.named_sets import load_named_set
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.pruning.schedules import Polynomial
from tflite_squeeze.techniques.sharing.cluster import cluster
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.verification.record import Verify

# Network → copies of the training images (all but the first shifted by up to two pixels); zeros,
# in one step or several; values; epochs over all copies for each of these; batch, learning rate
# for zeros and for values, and whether XLA is faster.
CHAINS: dict[str, dict[str, Any]] = {
    "lenet_300_100": {
        "copies": 4, "zeros": (0.971,), "values": 8, "epochs": (14, 4), "batch": 256,
        "rates": (3e-3, 3e-3), "jit": True,
    },
    "lenet_5": {
        "copies": 4, "zeros": (0.96, 0.98), "values": 8, "epochs": (2, 4, 1), "batch": 128,
        "rates": (2e-3, 3e-3), "jit": False,
    },
}  # fmt: skip


@click.command()
@click.argument("network", type=click.Choice(tuple(CHAINS)))
@click.option("--folder", type=click.Path(path_type=Path), required=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--stages", type=int, help="How many; all when left out.")
def chain(network: str, folder: Path, seed: int, stages: int | None) -> None:
    """Prune, share, int8 on MNIST: the bytes of the download and the error of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = CHAINS[network]
    images, test = _shifted(plan["copies"], seed), load_data("mnist")

    def how(stage: int, rate: float) -> FineTune:
        return FineTune(
            epochs=plan["epochs"][stage],
            learning_rate=rate,
            batch=plan["batch"],
            seed=seed,
            jit=plan["jit"],
            warmup=0.02,
        )

    def pruned(model: Any, stage: int) -> Any:
        length = -(-images.raw.train.count // plan["batch"]) * plan["epochs"][stage]
        schedule = Polynomial(end=int(0.5 * length), frequency=50)
        config = Prune(sparsity=plan["zeros"][stage], budget="global", schedule=schedule)
        return prune(model, config, images, how(stage, plan["rates"][0])).model

    path = folder / f"{network}-{seed}-dense.keras"
    if not path.exists():
        dense_model(network, "mnist", seed).save(path)
    paths = [path]
    names = [*(f"zeros_{share:g}" for share in plan["zeros"]), f"values_{plan['values']}"]
    for stage, name in list(enumerate(names))[:stages]:
        path = folder / f"{network}-{seed}-{name}.keras"
        if not path.exists():
            started, model = time.perf_counter(), _loaded(paths[-1])
            if stage < len(plan["zeros"]):
                model = pruned(model, stage)
            else:
                config = Cluster(clusters=plan["values"])
                model = cluster(model, config, images, how(stage, plan["rates"][1])).model
            model.save(path)
            click.echo(f"{path.name}: {time.perf_counter() - started:.0f} s")
        paths.append(path)
    _chain_table(paths, test)


def _chain_table(paths: list[Path], test: Any) -> None:
    click.echo(
        "| stage | non-zero | values | error | int8 error | raw | download | download, dense "
        "encoding | entropy |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    )
    for path in paths:
        model = _loaded(path)
        kernels = [np.asarray(target.variable) for target in select(model).targets]
        config = Convert(quantize="int8", per_channel_dense=False)
        converted = convert(model, config, test, verification=Verify(samples=None, max_drop=None))
        path.with_suffix(".tflite").write_bytes(converted.tflite)
        dense = convert(
            model, config.model_copy(update={"sparsity": "dense"}), test, verification=None
        )
        record = converted.record
        found = record.verification.outputs[0].accuracy
        values = [len(np.unique(kernel[kernel != 0])) for kernel in kernels]
        click.echo(
            f"| {path.stem} | {sum(int(np.count_nonzero(kernel)) for kernel in kernels):,} "
            f"| {max(values):,} | {1 - found.reference:.2%} | {1 - found.file:.2%} "
            f"| {record.size.raw_bytes:,} | {record.size.download_bytes:,} "
            f"| {dense.record.size.download_bytes:,} | {record.size.entropy_bytes:,} |"
        )


def _loaded(path: Path) -> Any:
    return tf_keras.models.load_model(path, compile=False)


def _shifted(copies: int, seed: int) -> Any:
    """MNIST with its training images shifted at random by up to two pixels along each axis."""
    data = load_named_set("mnist")
    rng = np.random.default_rng(seed)
    images, labels = [data.x_train], [data.y_train]
    for _ in range(copies - 1):
        padded = np.pad(data.x_train, [(0, 0), (2, 2), (2, 2), *[(0, 0)] * (data.x_train.ndim - 3)])
        moves = rng.integers(0, 5, size=(len(padded), 2))
        moved = np.empty_like(data.x_train)
        for row in range(5):
            for column in range(5):
                chosen = np.all(moves == (row, column), axis=1)
                moved[chosen] = padded[chosen, row : row + 28, column : column + 28]
        images.append(moved)
        labels.append(data.y_train)
    source = {
        "x_train": np.concatenate(images),
        "y_train": np.concatenate(labels),
        "x_test": data.x_test,
        "y_test": data.y_test,
    }
    return load_data(source, preprocessing=data.preprocessing or Preprocessing())
