"""Entropy-penalized training on MNIST: bytes and error of whole packed files, and times of steps.

    python tools/benchmarks/entropy.py run lenet_300_100 0.1 --seed 0
    python tools/benchmarks/entropy.py all --seeds 3
    python tools/benchmarks/entropy.py steps lenet_300_100
    python tools/benchmarks/entropy.py pack
    python tools/benchmarks/entropy.py table

From scratch, on all 60,000 training images; errors are of the int8 file on the 10,000 test images.
Each run takes a few minutes; results go into tools/benchmarks/entropy.json and are not measured
again. Files stay in build/benchmarks/entropy, and `pack` packs these again, as the packed form
gets better. `table` writes docs/measured/entropy.md.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import architectures
import click
import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from kept_results import KeptResults
from measured_table import renew_page
from named_arrays import arrays

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.files.files import write_atomically
from tflite_squeeze.packing.pack import pack, unpack
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.techniques.entropy.aware import entropy_penalized
from tflite_squeeze.techniques.entropy.config import EntropyPenalty
from tflite_squeeze.techniques.entropy.penalize import penalize_entropy
from tflite_squeeze.training.config import FineTune

RESULTS = KeptResults(__file__)
FILES = Path(__file__).resolve().parents[2] / "build" / "benchmarks" / "entropy"
EPOCHS, BATCH, RATE = 20, 128, 1.5e-3
# Network → prices; negative ones are bytes of the code to be met.
GRID = {
    "lenet_300_100": (0.1, 0.4, 0.8, -5000.0),
    "lenet_5": (0.1, 0.3, 0.6),
}
_TIMED, _ROUNDS = 100, 5  # steps at a time


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


@main.command(name="run")
@click.argument("network", type=click.Choice(list(GRID)))
@click.argument("price", type=float)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--epochs", type=int, default=EPOCHS, show_default=True)
@click.option("--shift", is_flag=True, help="Shift images at random in training.")
def run_one(network: str, price: float, seed: int, epochs: int, *, shift: bool) -> None:
    """One training; a few minutes."""
    measure(network, price, seed, epochs=epochs, shift=shift)


@main.command(name="all")
@click.option("--seeds", type=int, default=3, show_default=True)
def run_all(seeds: int) -> None:
    """Every training that is not measured yet, seed by seed, without shifts and with them."""
    for seed in range(seeds):
        for network, prices in GRID.items():
            for price in prices:
                measure(network, price, seed, epochs=EPOCHS, shift=False)
                measure(network, price, seed, epochs=2 * EPOCHS, shift=True)


def measure(network: str, price: float, seed: int, *, epochs: int, shift: bool) -> None:
    """Measures a training, unless that was done."""
    key = f"{network} {price:g} {seed} {epochs}{' shift' if shift else ''}"
    if key in RESULTS.known:
        return
    began = time.perf_counter()
    x, y, x_test, y_test = arrays("mnist")
    keras.utils.set_random_seed(seed)
    model = getattr(architectures, network)(keras)
    how = FineTune(epochs=epochs, batch=BATCH, learning_rate=RATE, warmup=0.0, seed=seed,
                   augment=("shift",) if shift else ())  # fmt: skip
    config = (
        EntropyPenalty(penalty=price) if price > 0 else EntropyPenalty(target_bytes=int(-price))
    )
    data = {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test}
    priced, record = penalize_entropy(model, config, data, how)
    samples = {"x_train": x[:2000], "y_train": y[:2000], "x_test": x[:500], "y_test": y[:500]}
    tflite = convert(priced, Convert(quantize="int8"), samples, verification=None).tflite
    packed = pack(tflite)
    assert unpack(packed) == tflite
    found = {
        "error": 1 - accuracy(tflite, x_test, y_test),
        "float error": 1 - float(np.mean(priced.predict(x_test, verbose=0).argmax(-1) == y_test)),
        "code bytes": record.code_bytes,
        "not zero": sum(one.parameters - one.zeros_after for one in record.weights),
        "packed": len(packed),
        "raw": len(tflite),
        "curve": [(one.code_bytes, one.quality) for one in record.curve],
        "seconds": time.perf_counter() - began,
    }
    write_atomically(FILES / f"{key}.tflite", tflite, force=True)
    RESULTS.keep(key, found)


@main.command(name="pack")
def pack_again() -> None:
    """Packs the files that are still there."""
    for key, one in RESULTS.known.items():
        path = FILES / f"{key}.tflite"
        if path.exists():
            RESULTS.keep(key, {**one, "packed": len(pack(path.read_bytes()))})


def accuracy(tflite: bytes, x: Any, y: Any) -> float:
    """Of a file."""
    reader = Interpreter(model_content=tflite)
    (name,) = next(iter(reader.get_signature_list().values()))["inputs"]
    (answers,) = run_file(tflite, {name: x}).outputs.values()
    return float(np.mean(answers.argmax(-1) == y))


@main.command()
@click.argument("network", type=click.Choice(list(GRID)))
def steps(network: str) -> None:
    """Times training steps of the plain network and of that with a price, in turns."""
    x, y, *_ = arrays("mnist")
    few = slice(0, _TIMED * BATCH)
    sides: dict[str, Any] = {"plain": getattr(architectures, network)(keras)}
    sides["priced"] = entropy_penalized(
        getattr(architectures, network)(keras), examples=len(x), steps=10 * _TIMED
    )
    times: dict[str, list[float]] = {name: [] for name in sides}
    for one in sides.values():
        one.compile(keras.optimizers.Adam(RATE), "sparse_categorical_crossentropy")
    for _ in range(_ROUNDS + 1):
        for name, one in sides.items():
            began = time.process_time()
            one.fit(x[few], y[few], batch_size=BATCH, verbose=0)
            times[name].append((time.process_time() - began) / _TIMED * 1e3)
    found = {name: float(np.median(one[1:])) for name, one in times.items()}
    print(f"steps {network}: {found}, {found['priced'] / found['plain']:.2f}", flush=True)
    RESULTS.keep(f"steps {network}", found)


@main.command()
def table() -> None:
    """Writes the page's tables."""
    rows = ["| network | λ or bytes | epochs | seed | error | not zero | code bytes | packed |",
            "|---|---:|---|---:|---:|---:|---:|---:|"]  # fmt: skip
    timed = ["| network | plain step | step with a price | ratio |", "|---|---:|---:|---:|"]
    for key, one in RESULTS.known.items():
        if key.startswith("steps"):
            timed.append(f"| {key.split()[1]} | {one['plain']:.2f} ms | {one['priced']:.2f} ms | "
                         f"{one['priced'] / one['plain']:.2f} |")  # fmt: skip
            continue
        network, price, seed, epochs, *shift = key.split()
        asked = f"{-float(price):,.0f} bytes" if price.startswith("-") else price
        rows.append(f"| {network} | {asked} | {epochs}{', shifted' if shift else ''} | {seed} | "
                    f"{one['error']:.2%} | {one['not zero']:,} | {one['code bytes']:,.0f} | "
                    f"{one['packed']:,} |")  # fmt: skip
    renew_page("entropy", "rate and error", "\n".join(rows))
    renew_page("entropy", "steps", "\n".join(timed))


if __name__ == "__main__":
    main()
