"""Quantization-aware training on the reference networks, Fashion-MNIST, its 10,000 test images.

    python tools/benchmarks/quantize.py run int8 resnet_8 --seed 0
    python tools/benchmarks/quantize.py run dense4 lenet_300_100 --seed 0
    python tools/benchmarks/quantize.py run tfmot resnet_8 --seed 0
    python tools/benchmarks/quantize.py all --seeds 3
    python tools/benchmarks/quantize.py table

int8: the network trained on in float for as long and then quantized by calibration, and trained
quantized. dense4: weights of 4 bits under int8 activations, calibrated in two ways and trained,
beside int8 files. tfmot: the same tf_keras network quantized here and by TensorFlow Model
Optimization, and the time of a training step of each and of the plain network, in turns. Each case
takes a few minutes; results go into tools/benchmarks/quantize.json and are not measured again.
`table` writes docs/measured/quantize.md.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # TFMOT fails to import without it
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import click
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from kept_results import KeptResults
from measured_table import renew_page
from named_arrays import arrays

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.data.data import load_data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.network.flavors import input_specs
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.rewriting import copy_of
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.runtime.turns import turn_by_turn
from tflite_squeeze.techniques.quantization.config import QuantizationAware
from tflite_squeeze.techniques.quantization.quantize import quantize
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.finetune import finetune

RESULTS = KeptResults(__file__)
MODELS = Path(__file__).resolve().parents[2] / "models"
BATCH, RATE = 128, 3e-4
STEPS = {"lenet_5": 938, "lenet_300_100": 1407, "resnet_8": 600, "mobilenet_v1_025": 900}
CASES = {
    "int8": ("lenet_5", "mobilenet_v1_025", "resnet_8"),
    "dense4": ("lenet_300_100", "lenet_5"),
    "tfmot": ("lenet_5", "mobilenet_v1_025", "resnet_8"),
}
_TIMED, _ROUNDS = 20, 5  # steps at a time


@click.group(help=__doc__)
def main() -> None:
    """The command line."""


@main.command(name="run")
@click.argument("case", type=click.Choice(list(CASES)))
@click.argument("network", type=click.Choice(list(STEPS)))
@click.option("--seed", type=int, default=0, show_default=True)
def run_one(case: str, network: str, seed: int) -> None:
    """One case on one network; a few minutes."""
    measure(case, network, seed)


@main.command(name="all")
@click.option("--seeds", type=int, default=3, show_default=True)
def run_all(seeds: int) -> None:
    """Every case that is not measured yet, seed by seed."""
    for seed in range(seeds):
        for case, networks in CASES.items():
            for network in networks:
                measure(case, network, seed)


def measure(case: str, network: str, seed: int) -> None:
    """Measures a case, unless that was done."""
    key = f"{case} {network} {seed}"
    if key in RESULTS.known:
        return
    began = time.perf_counter()
    x, y, *test = arrays("fashion-mnist")
    held = slice(-5000, None)  # which decide on the best state
    data = {"x_train": x[:-5000], "y_train": y[:-5000], "x_test": x[held], "y_test": y[held]}
    how = FineTune(steps=STEPS[network], batch=BATCH, learning_rate=RATE, seed=seed)
    sides = {"int8": int8, "dense4": dense4, "tfmot": tfmot_beside}[case](network, data, how)
    found = {
        name: one if isinstance(one, float) else {**facts(one, *test)}
        for name, one in sides.items()
    }
    if case == "dense4":
        files = {name: one for name, one in sides.items() if isinstance(one, bytes)}
        for name, times in turn_by_turn(files).items():
            found[name]["us"] = float(np.median(times))
    found["seconds"] = time.perf_counter() - began
    RESULTS.keep(key, found)


def facts(tflite: bytes, x: Any, y: Any) -> dict[str, float]:
    """Accuracy and size of a file."""
    reader = Interpreter(model_content=tflite)
    (name,) = next(iter(reader.get_signature_list().values()))["inputs"]
    (answers,) = run_file(tflite, {name: x}).outputs.values()
    return {"accuracy": float(np.mean(answers.argmax(-1) == y)), "bytes": len(tflite)}


def _file(model: Any, data: Any = None, **settings: Any) -> bytes:
    return convert(model, Convert(**settings), data, verification=None).tflite


def int8(network: str, data: Any, how: FineTune) -> dict[str, Any]:
    """Float trained as long and then calibrated, and trained quantized, from the same weights."""
    model = load_model(MODELS / f"{network}.keras").model
    longer = copy_of(model)
    finetune(longer, load_data(data).fitted_to(input_specs(longer)), how)
    twin, _ = quantize(model, QuantizationAware(), data, how)
    return {
        "float": _file(longer), "float then int8": _file(longer, data, quantize="int8"),
        "int8 at once": _file(model, data, quantize="int8"), "trained int8": _file(twin),
    }  # fmt: skip


def dense4(network: str, data: Any, how: FineTune) -> dict[str, Any]:
    """Weights of 4 bits, calibrated and trained, beside int8."""
    model = load_model(MODELS / f"{network}.keras").model
    config = QuantizationAware(weights=4)
    plain, record = quantize(model, config, data, one_shot=True)
    twin, _ = quantize(model, config, data, how)
    learned, _ = quantize(model, QuantizationAware(weights=4, learned_scale=True), data, how)
    compensated = Convert(plan=_without_scales(record.plan), calibrate="auto")
    return {
        "int8 at once": _file(model, data, quantize="int8"),
        "4 bits at once": _file(plain),
        "4 bits compensated": convert(model, compensated, data, verification=None).tflite,
        "trained 4 bits": _file(twin), "trained 4 bits, learned steps": _file(learned),
    }  # fmt: skip


def _without_scales(plan: Any) -> Any:
    """A plan whose numbers calibration finds."""
    weights = {name: one.model_copy(update={"scale": None}) for name, one in plan.weights.items()}
    points = {
        name: one.model_copy(update={"low": None, "high": None})
        for name, one in plan.activations.items()
    }
    return plan.model_copy(update={"weights": weights, "activations": points})


def tfmot_beside(network: str, data: Any, how: FineTune) -> dict[str, Any]:
    """The same tf_keras network quantized and trained by both, and times of steps in turns."""
    import tensorflow as tf
    import tensorflow_model_optimization as tfmot
    import tf_keras
    from prune import LOSS, dense_model

    tf_keras.utils.set_random_seed(how.seed)
    model = dense_model(network, "fashion-mnist", how.seed)
    x, y = data["x_train"], data["y_train"]

    def compiled(one: Any) -> Any:
        rate = tf_keras.optimizers.schedules.CosineDecay(RATE, STEPS[network])
        one.compile(tf_keras.optimizers.Adam(rate), LOSS)
        return one

    twin, _ = quantize(model, QuantizationAware(), data, how)
    peer = compiled(tfmot.quantization.keras.quantize_model(copy_of(model)))
    # as many steps of whole batches
    random, count = np.random.default_rng(how.seed), STEPS[network] * BATCH
    passes = [random.permutation(len(x)) for _ in range(-(-count // len(x)))]
    order = np.concatenate(passes)[:count]
    peer.fit(x[order], y[order], batch_size=BATCH, shuffle=False, verbose=0)
    converter = tf.lite.TFLiteConverter.from_keras_model(peer)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    files = {"here": _file(twin), "TFMOT": bytes(converter.convert())}
    few = slice(0, _TIMED * BATCH)
    timed = {"plain": compiled(copy_of(model)), "here": compiled(twin), "TFMOT": peer}
    times: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(_ROUNDS + 1):
        for name, one in timed.items():
            began = time.process_time()
            one.fit(x[few], y[few], batch_size=BATCH, verbose=0)
            times[name].append((time.process_time() - began) / _TIMED * 1e3)
    steps = {f"{name} step ms": float(np.median(one[1:])) for name, one in times.items()}
    return {**files, **steps}


@main.command()
def table() -> None:
    """Writes the page's tables."""
    rows = ["| case | network | seed | side | accuracy | bytes | µs |",
            "|---|---|---:|---|---:|---:|---:|"]  # fmt: skip
    steps = ["| network | seed | plain | here | TFMOT | here / plain | here / TFMOT |",
             "|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for key, found in RESULTS.known.items():
        case, network, seed = key.split()
        for side, one in found.items():
            if isinstance(one, dict):
                time_us = f"{one['us']:.1f}" if "us" in one else ""
                rows.append(f"| {case} | {network} | {seed} | {side} | {one['accuracy']:.2%} | "
                            f"{one['bytes']:,} | {time_us} |")  # fmt: skip
        if case == "tfmot":
            plain, here, peer = (found[f"{name} step ms"] for name in ("plain", "here", "TFMOT"))
            steps.append(f"| {network} | {seed} | {plain:.1f} ms | {here:.1f} ms | {peer:.1f} ms | "
                         f"{here / plain:.2f} | {here / peer:.2f} |")  # fmt: skip
    renew_page("quantize", "training", "\n".join(rows))
    renew_page("quantize", "steps", "\n".join(steps))


if __name__ == "__main__":
    main()
