"""L0 regularization of LeNet-300-100 on MNIST: zeros and test error, without a magnitude step.

python tools/benchmarks/l0.py                       # seed 0
python tools/benchmarks/l0.py --seeds 3 --epochs 15

The network is trained densely first, as any network that someone wants to shrink has been, then
with a gate on each weight. The goal: at least 90 % zeros at an error of at most 2 %. Errors are of
the 10,000 test images; nothing is chosen by them.
"""

import os
import platform
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import click

GOAL_SPARSITY, GOAL_ERROR = 0.90, 0.02
BATCH = 256


def run(seed: int, dense_epochs: int, epochs: int, lam: float | None) -> tuple[float, float]:
    """Trains, prunes and prints one row.

    Returns:
        Sparsity of the kernels and error on the test set.
    """
    import keras
    from architectures import lenet_300_100

    from tflite_squeeze.data.data import load_data
    from tflite_squeeze.network import flavors
    from tflite_squeeze.techniques.l0.config import L0
    from tflite_squeeze.techniques.l0.l0 import l0_prune
    from tflite_squeeze.training.config import FineTune
    from tflite_squeeze.training.finetune import finetune

    keras.utils.set_random_seed(seed)
    model = lenet_300_100(keras)
    data = load_data("mnist")
    started = time.perf_counter()
    first = FineTune(epochs=dense_epochs, batch=BATCH, learning_rate=2e-3, seed=seed)
    finetune(model, data.fitted_to(flavors.input_specs(model)), first)
    dense_seconds = time.perf_counter() - started
    config = L0() if lam is None else L0(lam=lam)
    _, record = l0_prune(model, config, data, FineTune(epochs=epochs, batch=BATCH, seed=seed))
    error = 1 - record.after
    layers = " ".join(f"{weight.sparsity:7.2%}" for weight in record.weights)
    print(
        f"{seed:4}  {1 - record.before:10.2%}  {record.sparsity:6.2%}  {error:6.2%}  {layers}  "
        f"{dense_seconds:6.0f} + {record.seconds:.0f} s",
        flush=True,
    )
    return record.sparsity, error


@click.command()
@click.option("--seeds", default=1, help="How many seeds, from 0.")
@click.option("--dense-epochs", default=10, help="Epochs of the dense training.")
@click.option("--epochs", default=12, help="Epochs with gates, settling included.")
@click.option("--lam", type=float, default=None, help="lambda; the default of L0 otherwise.")
def main(seeds: int, dense_epochs: int, epochs: int, lam: float | None) -> None:
    """Prints a row a seed; exit code 1 when a seed misses the goal."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, {' '.join(sys.argv)}")
    print("seed  dense error  zeros    error  by layer                 training")
    rows = [run(seed, dense_epochs, epochs, lam) for seed in range(seeds)]
    sparsities, errors = zip(*rows, strict=True)
    print(
        f"median: {statistics.median(sparsities):.2%} zeros, {statistics.median(errors):.2%} error"
    )
    missed = [row for row in rows if row[0] < GOAL_SPARSITY or row[1] > GOAL_ERROR]
    print(f"{len(rows) - len(missed)} of {len(rows)} reach {GOAL_SPARSITY:.0%} at {GOAL_ERROR:.0%}")
    if missed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
