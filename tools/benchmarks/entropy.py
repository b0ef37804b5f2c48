"""Entropy-penalized training on MNIST: bytes and error of whole packed files, and times of steps.

    python tools/benchmarks/entropy.py run lenet_300_100 0.1 --seed 0
    python tools/benchmarks/entropy.py all --seeds 3
    python tools/benchmarks/entropy.py beside resnet_8 1200 --penalty 0.1
    python tools/benchmarks/entropy.py beside resnet_8 1200 --zeros 0.8 --values 16
    python tools/benchmarks/entropy.py steps lenet_300_100
    python tools/benchmarks/entropy.py pack
    python tools/benchmarks/entropy.py table

From scratch, on all 60,000 training images; errors are of the int8 file on the 10,000 test images.
`beside` goes on from trained reference models, on Fashion-MNIST, taught by these, as `tune` does:
by a price, or by pruning and clustering in as many steps.
Each run takes a few minutes; results go into tools/benchmarks/entropy.json and are not measured
again. Files stay in build/benchmarks/entropy, and `pack` packs these again, as the packed form
gets better. `table` writes docs/measured/entropy.md.
"""

import gzip
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
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from kept_results import KeptResults
from measured_table import renew_page
from named_arrays import arrays

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.files.files import write_atomically
from tflite_squeeze.packing.pack import pack, unpack
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.search.candidate import Candidate, recipe_of
from tflite_squeeze.squeezing.squeeze import squeeze
from tflite_squeeze.techniques.entropy.aware import entropy_penalized
from tflite_squeeze.techniques.entropy.config import EntropyPenalty
from tflite_squeeze.techniques.entropy.penalize import penalize_entropy
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.tflite.lut import entropy_bytes
from tflite_squeeze.training.config import FineTune

RESULTS = KeptResults(__file__)
FILES = Path(__file__).resolve().parents[2] / "build" / "benchmarks" / "entropy"
EPOCHS, BATCH, RATE = 20, 128, 1.5e-3
REACH = 2  # pixels
SPARSITIES = ("dense", "smallest")
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
    FILES.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    x, y, x_test, y_test = arrays("mnist")
    keras.utils.set_random_seed(seed)
    model = getattr(architectures, network)(keras)
    config = (
        EntropyPenalty(penalty=price) if price > 0 else EntropyPenalty(target_bytes=int(-price))
    )
    if shift:
        priced, facts = model, _train_on_shifted(model, config, x, y, epochs)
    else:
        how = FineTune(epochs=epochs, batch=BATCH, learning_rate=RATE, warmup=0.0, seed=seed)
        data = {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test}
        priced, record = penalize_entropy(model, config, data, how)
        facts = {
            "code bytes": record.code_bytes,
            "not zero": sum(one.parameters - one.zeros_after for one in record.weights),
            "curve": [(one.code_bytes, one.quality) for one in record.curve],
        }
    samples = {"x_train": x[:2000], "y_train": y[:2000], "x_test": x[:500], "y_test": y[:500]}
    files = {
        how: convert(priced, Convert(quantize="int8", sparsity=how), samples, verification=None)
        for how in SPARSITIES
    }
    for how, file in files.items():
        assert unpack(pack(file.tflite)) == file.tflite
        write_atomically(_path(key, how), file.tflite, force=True)
    tflite = files["dense"].tflite
    found = {
        "error": 1 - accuracy(tflite, x_test, y_test),
        "float error": 1 - float(np.mean(priced.predict(x_test, verbose=0).argmax(-1) == y_test)),
        "raw": len(files[SPARSITIES[-1]].tflite),
        "packed": _packed(key),
        **facts,
        "seconds": time.perf_counter() - began,
    }
    RESULTS.keep(key, found)


def _train_on_shifted(
    model: Any, config: EntropyPenalty, x: Any, y: Any, epochs: int
) -> dict[str, Any]:
    """Trains on batches that are each moved by up to two pixels, as users would on data so made."""
    length = len(x) // BATCH
    batches = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x)).repeat().batch(BATCH)

    def moved(images: Any, labels: Any) -> Any:
        return tf.roll(images, tf.random.uniform((2,), -REACH, REACH + 1, tf.int32), [1, 2]), labels

    network = entropy_penalized(model, config, examples=len(x), steps=epochs * length)
    rate = keras.optimizers.schedules.CosineDecay(RATE, epochs * length)
    network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    network.fit(batches.map(moved), epochs=epochs, steps_per_epoch=length, verbose=0,
                shuffle=False)  # fmt: skip
    network.write()
    integers = network.integers()
    return {
        "code bytes": sum(map(entropy_bytes, integers)),
        "not zero": int(sum(map(np.count_nonzero, integers))),
    }


@main.command(name="pack")
def pack_again() -> None:
    """Packs the files that are still there."""
    for key, one in RESULTS.known.items():
        if _path(key, SPARSITIES[-1]).exists():
            RESULTS.keep(key, {**one, "packed": _packed(key)})


def _packed(key: str) -> dict[str, int]:
    return {how: len(pack(_path(key, how).read_bytes())) for how in SPARSITIES}


def _path(key: str, how: str) -> Path:
    return FILES / f"{key} {how}.tflite"


def accuracy(tflite: bytes, x: Any, y: Any) -> float:
    """Of a file."""
    reader = Interpreter(model_content=tflite)
    (name,) = next(iter(reader.get_signature_list().values()))["inputs"]
    (answers,) = run_file(tflite, {name: x}).outputs.values()
    return float(np.mean(answers.argmax(-1) == y))


@main.command()
@click.argument("network", type=click.Choice(["lenet_5", "resnet_8", "mobilenet_v1_025"]))
@click.argument("steps", type=int)
@click.option("--penalty", type=float)
@click.option("--zeros", type=float, default=0.9, show_default=True)
@click.option("--values", type=int, default=16, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def beside(
    network: str, steps: int, penalty: float | None, zeros: float, values: int, seed: int
) -> None:
    """One training of a trained reference model, or two of the chain."""
    way = f"{zeros:g} {values}" if penalty is None else f"{penalty:g}"
    key = f"beside {network} {steps} {seed} {way}"
    if key in RESULTS.known:
        return
    candidate = Candidate(
        quantize=Quantization.INT8,
        steps=steps,
        **({"sparsity": zeros, "clusters": values} if penalty is None else {"penalty": penalty}),
    )
    asked = Tune(minimize="download", seed=seed)
    recipe = recipe_of(candidate, asked, tidy=Narrow(), batch=BATCH, name="beside")
    model = Path(__file__).resolve().parents[2] / "models" / f"{network}.keras"
    tflite = squeeze(model, recipe.model_copy(update={"set_aside": False}), "fashion-mnist").tflite
    assert tflite is not None
    _, _, x_test, y_test = arrays("fashion-mnist")
    found = {
        "error": 1 - accuracy(tflite, x_test, y_test),
        "gzip": len(gzip.compress(tflite, 9)),
        "packed": len(pack(tflite)),
    }
    RESULTS.keep(key, found)


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
    others = ["| network | steps | seed | by | error | gzip -9 | packed |",
              "|---|---:|---:|---|---:|---:|---:|"]  # fmt: skip
    timed = ["| network | plain step | step with a price | ratio |", "|---|---:|---:|---:|"]
    for key, one in RESULTS.known.items():
        if key.startswith("steps"):
            timed.append(f"| {key.split()[1]} | {one['plain']:.2f} ms | {one['priced']:.2f} ms | "
                         f"{one['priced'] / one['plain']:.2f} |")  # fmt: skip
            continue
        if key.startswith("beside"):
            _, network, length, seed, *way = key.split()
            by = f"a price of {way[0]}"
            if len(way) > 1:
                by = f"{100 * float(way[0]):.3g}% zeros, {way[1]} values"
            others.append(f"| {network} | {int(length):,} | {seed} | {by} | {one['error']:.2%} | "
                          f"{one['gzip']:,} | {one['packed']:,} |")  # fmt: skip
            continue
        network, price, seed, epochs, *shift = key.split()
        asked = f"{-float(price):,.0f} bytes" if price.startswith("-") else price
        rows.append(f"| {network} | {asked} | {epochs}{', shifted' if shift else ''} | {seed} | "
                    f"{one['error']:.2%} | {one['not zero']:,} | {one['code bytes']:,.0f} | "
                    f"{min(one['packed'].values()):,} |")  # fmt: skip
    renew_page("entropy", "rate and error", "\n".join(rows))
    renew_page("entropy", "beside", "\n".join(others))
    renew_page("entropy", "steps", "\n".join(timed))


if __name__ == "__main__":
    main()
